"""Many first runs at once in a home without a conductor: one conductor, each job once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from e2e_marianne import Marianne

RUNS = 8


def test_first_runs_at_once_start_one_conductor_and_each_runs_once(marianne: Marianne) -> None:
    ledger = marianne.place / "ledger"
    line = f"echo $MARIANNE_JOB_ID $MARIANNE_ATTEMPT >> {ledger}"
    score = marianne.score("s", f"sheets:\n  - {{name: a, run: '{line}'}}\n")

    def run(job: str) -> int:
        return marianne("run", score, "--id", job, "--wait", code=None).code

    jobs = [f"r{n}" for n in range(RUNS)]
    with ThreadPoolExecutor(RUNS) as pool:
        assert list(pool.map(run, jobs)) == [0] * RUNS
    assert sorted(ledger.read_text().splitlines()) == [f"{job} 1" for job in jobs]
    events = [e["event"] for e in marianne.request("events.since", {"seq": 0})["events"]]
    assert events.count("daemon.started") == 1
    # A heart's command line holds its conductor's.
    ours = {pid for pid, line in marianne.processes().items() if " -m marianne.daemon" in line}
    assert ours == set(marianne.pids().values())
    marianne("stop")
    assert marianne.processes() == {}

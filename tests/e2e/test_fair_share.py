"""Many jobs at once: the small ones do not wait for the large one, and limits hold."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from e2e_marianne import Marianne

SMALL = "sheets:\n" + "".join(f"  - {{name: s{n}, run: 'sleep 0.1'}}\n" for n in range(3))
LARGE = "sheets:\n" + "".join(f"  - {{name: s{n}, run: 'sleep 0.1'}}\n" for n in range(300))

COUNTED = "parallel: {enabled: true, max_concurrent: 2}\nsheets:\n" + "".join(
    f"  - {{name: s{n}, run: 'sleep 0.1'}}\n" for n in range(12)
)


def seconds(job: dict[str, Any]) -> float:
    """From the submission to the end."""
    ended, began = map(datetime.fromisoformat, (job["finished_at"], job["submitted_at"]))
    return (ended - began).total_seconds()


def test_small_jobs_beside_a_large_one_take_twice_their_time_alone_at_most(
    marianne: Marianne,
) -> None:
    marianne.home.mkdir(mode=0o700)
    (marianne.home / "conductor.yaml").write_text("max_concurrent_jobs: 20\n")
    marianne("start")
    alone = seconds(marianne.wait(marianne.submit("alone", SMALL)))
    large = marianne.submit("large", LARGE)
    small = [marianne.submit(f"small{n}", SMALL) for n in range(19)]
    took = {job: seconds(marianne.wait(job)) for job in small}
    late = {job: round(took[job], 2) for job in small if took[job] > 2 * alone + 2}
    assert not late, f"alone: {alone:.2f} s"
    assert marianne.wait(large)["progress"]["completed"] == 300


def test_a_job_never_runs_more_sheets_than_it_says(marianne: Marianne) -> None:
    status = marianne.wait(marianne.submit("two", COUNTED))
    changes = []
    for sheet in status["sheets"]:
        changes += [(sheet["started_at"], 1), (sheet["finished_at"], -1)]
    running, most = 0, 0
    for _, change in sorted(changes):
        running += change
        most = max(most, running)
    assert most == 2

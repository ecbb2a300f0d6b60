"""Running part of a job again, and which sheet's output is shown when none is named."""

from __future__ import annotations

import subprocess

import pytest
from e2e_marianne import PROGRAM, Marianne

from ipc.client import Client

NEEDS = """sheets:
  - {name: a, run: 'test -e ok'}
  - {name: c, needs: [a], run: 'echo c'}
"""

QUIET_END = """sheets:
  - {name: a, run: 'echo hi'}
  - {name: b, needs: [a], run: 'true'}
"""


@pytest.fixture
def marianne(shared: Marianne) -> Marianne:
    return shared


def test_a_retried_sheet_runs_what_it_needs_too_and_the_job_ends(marianne: Marianne) -> None:
    job = marianne.play("rf", NEEDS, code=1)
    marianne("retry", job, "3", code=4)
    told = marianne("retry", job, "c").out
    assert told == f"{job}: goes on; needed, so run again too: 1 (a)\n"
    failed = marianne.wait(job, code=1)
    assert [s["status"] for s in failed["sheets"]] == ["failed", "skipped"]
    (marianne.place / "rf" / "ok").touch()
    assert marianne("retry", job, "c", "--json").json["also"] == [1]
    assert marianne.wait(job)["progress"]["completed"] == 2


def test_the_output_of_a_job_is_that_of_the_last_sheet_that_has_some(marianne: Marianne) -> None:
    job = marianne.play("ol", QUIET_END)
    assert marianne("output", job).out == "hi\n"
    shown = marianne("output", job, "--json").json
    assert (shown["sheet"], shown["text"]) == (1, "hi\n")
    assert marianne("output", job, "--follow").out == "hi\n"
    assert marianne("output", job, "b").out == ""


def test_a_followed_output_waits_for_the_sheet_and_goes_on_over_its_retries(
    marianne: Marianne,
) -> None:
    job = marianne.submit(
        "of",
        "sheets:\n"
        "  - name: a\n"
        "    run: 'echo try; test -e go && exit; until test -e go; do sleep 0.02; done; false'\n"
        "    retry: {max_retries: 1, base_delay_seconds: 0.1}\n"
        "  - {name: b, needs: [a], run: echo b}\n"
        "  - {name: c, needs: [a], run: 'false', retry: {max_retries: 0}}\n"
        "  - {name: d, needs: [c], run: echo never}\n",
    )
    line = [PROGRAM, "output", job, "--follow"]
    with (
        subprocess.Popen([*line, "a"], env=marianne.env, stdout=subprocess.PIPE) as first,
        subprocess.Popen([*line, "b"], env=marianne.env, stdout=subprocess.PIPE) as second,
    ):
        assert first.stdout is not None
        assert first.stdout.readline() == b"try\n"
        (marianne.place / "of" / "go").touch()
        assert first.communicate() == (b"try\n", None)
        assert second.communicate() == (b"b\n", None)
    marianne.wait(job, code=1)
    assert marianne("output", job, "d", "--follow", code=4).out == ""
    assert marianne("output", job, "9", "--follow", code=4).out == ""


def test_who_is_told_of_an_end_may_act_upon_it_at_once(marianne: Marianne) -> None:
    """Asked for the status without a pause: the first answer that tells the end is true."""
    marianne("start")
    with Client(marianne.home / "conductor.sock") as client:

        def told(job: str, by_status: bool) -> str:
            if by_status:
                return str(client.request("job.status", {"job_id": job}, 10.0)["status"])
            jobs = client.request("job.list", {"all": True}, 10.0)["jobs"]
            return next(str(one["status"]) for one in jobs if one["job_id"] == job)

        for number in range(6):
            job = f"at-once-{number}"
            path = marianne.score(job, "sheets:\n  - {name: a, run: 'exit 1'}\n")
            params = {"config_path": str(path), "client_cwd": "/", "environment": marianne.env}
            first = client.request("job.submit", params, 10.0)["job_id"]
            while told(first, number < 4) != "failed":
                pass
            if number % 2:
                client.request("job.retry", {"job_id": first}, 10.0)
            else:
                second = client.request("job.submit", params, 10.0)["job_id"]
                assert second != first
            gone = client.request("job.wait", {"job_id": first}, 10.0)
            assert gone["status"] == "failed"
            client.request("job.clear", {"ids": [first]}, 10.0)

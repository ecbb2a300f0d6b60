"""Running part of a job again, and which sheet's output is shown when none is named."""

from __future__ import annotations

import subprocess

import pytest
from e2e_marianne import PROGRAM, Marianne

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

"""What was is told by the state, where no conductor runs to ask; and none is started for it."""

from __future__ import annotations

import os
import signal
import sqlite3
from contextlib import closing

import pytest
from e2e_marianne import Marianne, until

NOTE = "note: no conductor is running: this is how the last one left it\n"


def _left(program: Marianne) -> tuple[str, str]:
    """Two jobs, one completed and one that was running when its conductor ended."""
    done = program.play("done", "sheets:\n  - {name: a, run: 'true'}\n")
    open_ = program.submit("open", "sheets:\n  - {name: a, run: 'touch up; sleep 600'}\n")
    until((program.place / "open" / "up").exists)
    return done, open_


def _killed(program: Marianne) -> None:
    pids = program.pids()
    for who in ("heart", "conductor"):
        os.kill(pids[who], signal.SIGKILL)
    until(lambda: program("health", code=None).code == 3)


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_list_and_status_show_what_the_last_conductor_left(own: Marianne, end: str) -> None:
    done, open_ = _left(own)
    before = own("status", done, "--json").json
    if end == "stop":
        own("stop")
    else:
        _killed(own)
    shown = own("list", "--json")
    assert [job["job_id"] for job in shown.json] == [open_]
    assert shown.err == NOTE
    assert [job["job_id"] for job in own("list", "--all", "--json").json] == [open_, done]
    assert [job["job_id"] for job in own("list", "-s", "completed", "--json").json] == [done]
    assert len(own("list", "--all", "--limit", "1", "--json").json) == 1
    assert own("status", done, "--json").json == before
    assert own("status", "don", "--json").json == before, "a prefix is enough"
    assert own("status", open_, "--json").json["sheets"][0]["name"] == "a"
    whole = own("status", "--json").json
    assert (whole["conductor"], [job["job_id"] for job in whole["jobs"]]) == (None, [open_])
    said = own("status").out
    assert "no conductor is running; unfinished jobs go on when one starts" in said
    assert open_ in said
    assert own("status", "nobody", code=4).err.startswith(NOTE)
    assert own("health", code=None).code == 3, "and none was started"


def test_where_nothing_was_ever_kept_there_is_no_conductor(own: Marianne) -> None:
    for verb in (["list"], ["status"], ["status", "x"]):
        assert "no conductor is running" in own(*verb, code=3).err
    assert not own.home.exists()


def test_a_question_that_only_a_conductor_answers_is_still_refused(own: Marianne) -> None:
    own.play("done", "sheets:\n  - {name: a, run: 'true'}\n")
    own("stop")
    for verb in ("output", "explain", "wait", "errors"):
        own(verb, "done", code=3)
    own("wait", "--all", code=3)


def test_a_state_of_an_earlier_version_is_not_guessed_at(own: Marianne) -> None:
    own.play("done", "sheets:\n  - {name: a, run: 'true'}\n")
    own("stop")
    with closing(sqlite3.connect(own.home / "state.db")) as database:
        database.execute("PRAGMA user_version = 1")
    said = own("list", code=3).err
    assert "is of an earlier version" in said
    assert "marianne start" in said


def test_a_state_that_is_damaged_is_told_so(own: Marianne) -> None:
    own.play("done", "sheets:\n  - {name: a, run: 'true'}\n")
    own("stop")
    (own.home / "state.db").write_bytes(b"x" * 8_192)
    assert "is damaged" in own("list", "--all", code=3).err

"""The conductor's log is bounded, and loses nothing of what it keeps."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from marianne.daemon.shared import log_file
from marianne.daemon.shared.log_file import OLDER, LogFile, older


def put_away(path: Path) -> list[str]:
    """What all files hold, the oldest first."""
    files = [older(path, number) for number in range(OLDER, 0, -1)]
    return [one.read_text() for one in (*files, path) if one.exists()]


def test_a_full_file_is_put_away_and_the_oldest_goes(tmp_path: Path) -> None:
    path = tmp_path / "x.log"
    file = LogFile(path, limit=10)
    for number in range(12):
        file.write(f"line {number}\n")
    assert put_away(path) == [
        "line 4\nline 5\n",
        "line 6\nline 7\n",
        "line 8\nline 9\n",
        "line 10\nline 11\n",
    ]
    assert {one.stat().st_mode & 0o777 for one in tmp_path.iterdir()} == {0o600}
    assert len(list(tmp_path.iterdir())) == 1 + OLDER


def test_a_file_that_was_full_at_a_restart_is_put_away_at_the_next_line(tmp_path: Path) -> None:
    path = tmp_path / "x.log"
    path.write_text("before the restart\n")
    LogFile(path, limit=10).write("after\n")
    assert put_away(path) == ["before the restart\n", "after\n"]


def test_a_file_that_was_taken_away_is_made_again_when_it_would_be_full(tmp_path: Path) -> None:
    path = tmp_path / "x.log"
    file = LogFile(path, limit=10)
    file.write("0123456789\n")
    path.rename(tmp_path / "mine")
    file.write("next\n")
    assert path.read_text() == "next\n"
    assert (tmp_path / "mine").read_text() == "0123456789\n"


def test_what_cannot_be_put_away_is_written_on_and_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_file, "PATIENCE", 8)
    path = tmp_path / "x.log"
    older(path, 2).touch()
    older(path, 3).mkdir()
    file = LogFile(path, limit=4)
    for word in ("aaaa\n", "bbbb\n", "cccc\n"):
        file.write(word)
    assert path.read_text() == "aaaa\nbbbb\ncccc\n"
    older(path, 3).rmdir()
    file.write("dddd\n")
    assert put_away(path) == ["", "aaaa\nbbbb\ncccc\n", "dddd\n"]


def test_text_that_is_no_utf8_is_written_all_the_same(tmp_path: Path) -> None:
    file = LogFile(tmp_path / "x.log")
    file.write("\udcff\n")
    assert (tmp_path / "x.log").read_text() == "\\udcff\n"


PROGRAM = """
import sys
from pathlib import Path
from marianne.daemon.shared import log
from marianne.daemon.output import StructuredOutput
output = StructuredOutput()
output.sheet_event("early", 1, "started")
log.open_log(Path(sys.argv[1]))
output.sheet_event("j", 1, "completed", {"exit_code": 0, "odd": Path("/x")})
output.progress("j", 1, 2)
output.job_event("j", "completed")
output.log("warning", "careful", where="here")
try:
    1 / 0
except ZeroDivisionError:
    log.get_logger("x").error("crash", exc_info=True)
log.set_level("warning")
output.sheet_event("j", 2, "completed")
"""


def test_sheets_and_progress_are_told_at_info_like_all_else(tmp_path: Path) -> None:
    path = tmp_path / "x.log"
    subprocess.run([sys.executable, "-c", PROGRAM, str(path)], check=True, env={**os.environ})
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [line["event"] for line in lines] == [
        "sheet.started",
        "sheet.completed",
        "job.progress",
        "job.completed",
        "careful",
        "crash",
    ]
    assert [line["level"] for line in lines] == ["info"] * 4 + ["warning", "error"]
    assert {line["logger"] for line in lines[:5]} == {"marianne.job"}
    assert lines[1]["data"] == {"exit_code": 0, "odd": "/x"}
    assert lines[2] | {"completed": 1, "total": 2, "job_id": "j"} == lines[2]
    assert "ZeroDivisionError" in lines[5]["exception"]
    assert [len(line["ts"]) for line in lines] == [len("2026-11-24T08:45:58.000000Z")] * 6


LIGHT = """
import sys
from pathlib import Path
from marianne.daemon.shared import log
log.open_log(Path(sys.argv[1]))
log.get_logger("x").info("said")
assert not [name for name in sys.modules if name.startswith(("rich", "pygments", "asyncio", "ssl"))]
import rich.console
import asyncio
import structlog._native
assert structlog._native.asyncio.get_running_loop is asyncio.get_running_loop
"""


def test_the_log_brings_no_console_along_and_keeps_nobody_from_one(tmp_path: Path) -> None:
    path = tmp_path / "x.log"
    subprocess.run([sys.executable, "-c", LIGHT, str(path)], check=True)
    assert json.loads(path.read_text())["event"] == "said"


WAITING = """
import sys, time
from pathlib import Path
from marianne.daemon.shared import log
from marianne.daemon.output import StructuredOutput
path = Path(sys.argv[1])
output = StructuredOutput()
log.open_log(path)
log.TOGETHER_SECONDS = float(sys.argv[2])
for num in range(1, 4):
    output.sheet_event("j", num, "completed")
if sys.argv[3] == "wait":
    while path.read_text().count("sheet.completed") < 3:
        time.sleep(0.01)
elif sys.argv[3] == "warn":
    output.log("warning", "careful")
    assert path.read_text().count(chr(10)) == 4
else:
    log.close_log()
"""


@pytest.mark.parametrize(("seconds", "what"), [("0.01", "wait"), ("600", "warn"), ("600", "close")])
def test_lines_of_sheets_wait_for_each_other_and_not_for_long(
    tmp_path: Path, seconds: str, what: str
) -> None:
    path = tmp_path / "x.log"
    argv = [sys.executable, "-c", WAITING, str(path), seconds, what]
    subprocess.run(argv, check=True, timeout=60)
    told = [json.loads(line).get("sheet_num") for line in path.read_text().splitlines()]
    assert told == [1, 2, 3] + [None] * (what == "warn")


def test_whoever_looks_for_asyncio_while_structlog_is_imported_finds_none() -> None:
    """The monitor does at its readings, in a thread of its own."""
    program = """
import sys
from marianne.daemon.shared import log

class Look:
    def find_spec(self, name, path, target=None):
        if name == "structlog":
            seen.append(getattr(sys.modules.get("asyncio"), "_get_running_loop", None))

seen = []
sys.meta_path.insert(0, Look())
structlog = log._structlog()
assert seen == [None], seen
import asyncio
assert structlog._native.asyncio.get_running_loop is asyncio.get_running_loop
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]

"""What the log says on standard error, and that nobody waits for who reads it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from marianne.daemon.shared.log_echo import WAITING, plain

PROGRAM = """
import sys
from pathlib import Path
from marianne.daemon.shared import log
from marianne.daemon.output import StructuredOutput
said = log.get_logger("x")
said.info("early", n=0)
log.open_log(Path(sys.argv[1]), sys.argv[2])
StructuredOutput().job_event("j", "started", {"why": "two words"})
for number in range(int(sys.argv[3])):
    said.info("line", n=number, text="x" * 200)
print("all said", flush=True)
log.close_echo()
"""


def test_a_line_is_plain_text_or_json_and_the_early_ones_come_too(tmp_path: Path) -> None:
    def err(form: str) -> list[str]:
        argv = [sys.executable, "-c", PROGRAM, str(tmp_path / form), form, "1"]
        done = subprocess.run(argv, capture_output=True, text=True, check=True)
        return done.stderr.splitlines()

    assert [json.loads(line)["event"] for line in err("json")] == ["early", "job.started", "line"]
    words = [line.split(maxsplit=1)[1] for line in err("plain")]
    assert words[:2] == [
        "info    early n=0",
        'info    job.started job_id=j data={"why": "two words"}',
    ]


def test_a_reader_that_stops_holds_nobody_up_and_the_file_has_all(tmp_path: Path) -> None:
    path, number = tmp_path / "log", 2 * WAITING
    unread, stderr = os.pipe()  # 64 KiB, and then no more
    argv = [sys.executable, "-c", PROGRAM, str(path), "plain", str(number)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=stderr, text=True) as process:
        os.close(stderr)
        assert process.stdout is not None
        assert process.stdout.readline() == "all said\n"
        assert process.wait(60) == 0
    os.close(unread)
    assert len(path.read_text().splitlines()) == number + 2


def test_a_reader_that_is_gone_ends_nobody(tmp_path: Path) -> None:
    unread, stderr = os.pipe()
    os.close(unread)
    argv = [sys.executable, "-c", PROGRAM, str(tmp_path / "log"), "json", "50"]
    done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=stderr, text=True, check=False)
    os.close(stderr)
    assert (done.returncode, done.stdout) == (0, "all said\n")


@pytest.mark.parametrize(
    ("value", "shown"),
    [("word", "a=word"), ("two words", 'a="two words"'), ("x\ny", 'a="x\\ny"'), (3, "a=3")],
)
def test_a_line_stays_one_line(value: object, shown: str) -> None:
    line = plain(
        {"ts": "T", "level": "info", "event": "e", "logger": "l", "none": None, "a": value}
    )
    assert line == f"T info    e {shown}"

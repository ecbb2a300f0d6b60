"""``run --output`` and ``wait --output``: what all running sheets print, as it comes."""

from __future__ import annotations

import os
import pty
import re
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from e2e_marianne import PROGRAM, Marianne, until

TWO = """sheets:
  - name: slow
    run: |
      printf half
      until test -e go; do sleep 0.05; done
      echo " and half"
      echo oops >&2
      exit 3
  - {name: quick, run: 'for i in 1 2 3; do echo "line $i"; done; printf "no end"'}
"""
COUNT = """sheets:
  - name: count
    fan_out: 3
    run: |
      until test -e go; do sleep 0.05; done
      for i in $(seq 200); do echo "{{ instance }} says $i"; sleep 0.02; done
"""
MUCH = """sheets:
  - name: much
    run: |
      until [ -e go ]; do sleep 0.02; done
      seq 20000; printf "\\033[31mred\\033]0;title\\007\\n"; echo over
"""


@contextmanager
def program(marianne: Marianne, *argv: str, **streams: int) -> Iterator[subprocess.Popen[bytes]]:
    streams = {"stdout": subprocess.PIPE, **streams}
    with subprocess.Popen(
        [PROGRAM, *argv], env=marianne.env, cwd=marianne.place, **streams
    ) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()


def test_lines_come_whole_and_behind_the_name_of_their_sheet(shared: Marianne) -> None:
    path = shared.score("two", TWO)
    (shared.place / "two").mkdir()
    with program(shared, "run", path, "--output") as process:
        assert process.stdout is not None
        lines = []
        while lines[-1:] != ["quick | no end"]:
            lines.append(process.stdout.readline().decode().rstrip("\n"))
        assert not any(line.startswith("slow |") for line in lines), "its line has no end yet"
        (shared.place / "two" / "go").touch()
        lines += process.stdout.read().decode().splitlines()
        assert process.wait(60) == 1
    said = [line for line in lines if re.match(r"\w+ [|!] ", line)]
    assert said == [
        *(f"quick | line {n}" for n in (1, 2, 3)),
        "quick | no end",
        "slow | half and half",
        "slow ! oops",
    ]
    ended = next(place for place, line in enumerate(lines) if "slow  failed" in line)
    assert lines.index("slow ! oops") < ended, "first what it said, then that it failed"


def test_over_a_death_and_a_restart_of_the_conductor_nothing_is_missing_and_nothing_twice(
    mortal: Marianne,
) -> None:
    job = mortal.submit("count", COUNT)
    with program(mortal, "wait", job, "--output") as process:
        assert process.stdout is not None
        lines: list[str] = []

        def read_to(word: str) -> None:
            while not any(word in line for line in lines):
                lines.append(process.stdout.readline().decode().rstrip("\n"))

        read_to("started")
        (mortal.place / "count" / "go").touch()
        read_to("says 40")
        pid = mortal.pids()["conductor"]
        os.kill(pid, signal.SIGKILL)
        read_to("says 100")
        assert mortal.pids()["conductor"] != pid
        mortal("restart")
        lines += process.stdout.read().decode().splitlines()
        assert process.wait(60) == 0
    for n in (1, 2, 3):
        said = [line for line in lines if line.startswith(f"count-{n} | ")]
        assert said == [f"count-{n} | {n} says {i}" for i in range(1, 201)]


def test_a_terminal_that_nobody_reads_holds_nothing_up_and_gets_all_in_the_end(
    shared: Marianne,
) -> None:
    path = shared.score("much", MUCH)
    screen, inner = pty.openpty()
    with program(shared, "run", path, "--output", "--id", "much", stdout=inner) as process:
        os.close(inner)

        def ended() -> bool:
            told = shared("status", "much", "--json", code=None)
            return told.code == 0 and told.json["status"] == "completed"

        found = bytearray()
        while b"much running  0/1 sheets, 1 running" not in found:
            found += os.read(screen, 1 << 16)
        (shared.place / "much" / "go").touch()  # from now on nobody reads
        until(ended)
        assert process.poll() is None, "it has not got rid of it yet"
        reading = threading.Thread(target=_read_all, args=(screen, found))
        reading.start()
        assert process.wait(60) == 0
        reading.join(60)
    os.close(screen)
    text = found.decode()
    plain = re.sub(r"[^\n\r]*\r\x1b\[K|\x1b\[[0-9;]*m|\r", "", text)
    said = [line.partition(" | ")[2] for line in plain.split("\n") if line.startswith("much | ")]
    assert said == [*map(str, range(1, 20_001)), "red\ufffd]0;title\ufffd", "over"]
    assert "\x1b[31mred" in text


def _read_all(fd: int, found: bytearray) -> None:
    try:
        while piece := os.read(fd, 1 << 16):
            found += piece
    except OSError:  # its other end is closed
        return

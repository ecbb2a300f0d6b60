"""The processes that run the tests: each test is run once, whoever dies."""

from __future__ import annotations

import re
import subprocess
import sys
from collections import deque
from pathlib import Path

import pytest
from forked import Shares

HERE = Path(__file__).parent

DYING = """
import os, time, pytest

@pytest.fixture(scope="session", autouse=True)
def shared():
    with open({shared!r}, "a") as file:
        print("begun", os.getpid(), file=file, flush=True)
        yield
        print("ended", os.getpid(), file=file)

def test_fails():
    print("said before")
    assert time is None
def test_dies(): os._exit(7)
@pytest.mark.parametrize("n", range(20))
def test_goes_on(n):
    print("said in", n)
    for _ in range(2000):
        if os.path.exists({known!r}): break
        time.sleep(0.01)
@pytest.mark.timeout(1)
def test_hangs(): time.sleep(60)
"""


CONFTEST = """
import os

pytest_plugins = ["forked"]
FIRST = os.getpid()

def pytest_runtest_logreport(report):
    if report.failed and os.getpid() == FIRST:
        open({known!r}, "w").close()

def pytest_sessionfinish():
    with open({shared!r}, "a") as file:
        print("over", os.getpid(), file=file)
"""


def ran(place: Path, *options: str) -> subprocess.CompletedProcess[str]:
    places = {"shared": str(place / "shared"), "known": str(place / "known")}
    (place / "conftest.py").write_text(CONFTEST.format(**places))
    (place / "test_dying.py").write_text(DYING.format(**places))
    plain = ("-c", "/dev/null", "-p", "no:cacheprovider", "-p", "no:randomly", "-rf")
    here = ("--rootdir", str(place), "-o", f"pythonpath={HERE}", str(place))
    return subprocess.run(
        [sys.executable, "-m", "pytest", *plain, *options, *here],
        check=False,
        cwd=place,
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.mark.slow
def test_each_test_has_one_outcome_whatever_became_of_the_process_that_ran_it(
    tmp_path: Path,
) -> None:
    done = ran(tmp_path, "--processes", "2", "--timeout-method", "thread")
    assert done.returncode == 1, done
    assert re.search(r"\b3 failed, 20 passed\b", done.stdout), done.stdout
    assert "::test_dies - the process that ran this test ended with 7" in done.stdout
    assert "::test_hangs - the process that ran this test ended with 1" in done.stdout
    assert "time.sleep(60)" in done.stderr + done.stdout
    assert "said before" in done.stdout
    assert "said in" not in done.stdout


@pytest.mark.slow
def test_after_enough_failures_no_other_begins_and_what_tests_share_is_ended(
    tmp_path: Path,
) -> None:
    done = ran(
        tmp_path,
        "--processes",
        "2",
        "-k",
        "fails or goes_on",
        "--maxfail",
        "1",
        "-p",
        "no:randomly",
    )
    assert done.returncode == 1, done
    assert "stopping after 1 failures" in done.stdout
    told = [line.split() for line in (tmp_path / "shared").read_text().splitlines()]
    begun, ended = ({pid for what, pid in told if what == one} for one in ("begun", "ended"))
    assert begun == ended != set()
    assert told[-1][0] == "over"
    passed = re.search(r"(\d+) passed", done.stdout)
    assert passed is None or int(passed[1]) <= 2, done.stdout


def drawn(shares: Shares, *sides: int) -> list[int | None]:
    """What processes of these sides are given, each a test in turn."""
    module: list[deque[int] | None] = [None] * len(sides)
    given: list[int | None] = []
    while True:
        for who, side in enumerate(sides):
            found = shares.next(module[who], side)
            number, module[who] = found or (None, None)
            given.append(number)
        if given[-1] is None:
            return given


def test_each_takes_a_module_that_nobody_has_begun_and_half_of_them_the_slow_ones_first() -> None:
    shares = Shares([(True, [0, 1]), (False, [2, 3]), (True, [4, 5]), (False, [6, 7])])
    assert drawn(shares, 0, 1) == [0, 2, 1, 3, 4, 6, 5, 7, None, None]


def test_who_finds_no_other_module_takes_of_the_one_that_has_most_left() -> None:
    shares = Shares([(False, [0, 1, 2, 3, 4]), (False, [5, 6, 7]), (False, [8])])
    assert drawn(shares, 1, 1, 1) == [0, 5, 8, 1, 6, 2, 3, 7, 4, None, None, None]


def test_what_is_given_back_is_given_again() -> None:
    shares = Shares([(False, [0])])
    assert drawn(shares, 0) == [0, None]
    shares.give_back(0)
    assert drawn(shares, 1) == [0, None]

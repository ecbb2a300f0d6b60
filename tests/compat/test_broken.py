"""Broken scores: each says what is wrong, where, and what to do about it.

The first line of each file is what is expected: ``# expect: LINE:COL [PATH] | MESSAGE``. Those in
``broken_whole`` are wrong in several ways, and say at their head all that is told, as it is told.
"""

from __future__ import annotations

import re
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from marianne.instruments.registry import Registry
from marianne.score import ScoreError, load_plan

WHOLE = sorted((Path(__file__).parent / "broken_whole").glob("*.yaml"))
BROKEN = sorted((Path(__file__).parent / "broken").glob("*.yaml"))
REGISTRY = Registry.load()
EXPECT = re.compile(r"# expect: (\d+):(\d+) (?:(\S+) )?\| (.*)\n")


def _told(path: Path, *, shell: bool = False) -> list[str]:
    """What is said of a score that cannot be used, line by line."""
    with pytest.raises(ScoreError) as caught:
        load_plan(
            str(path),
            None,
            base_dir=str(path.parent),
            workspace=None,
            variables={},
            instruments=REGISTRY,
            shell=shell,
        )
    return caught.value.render().splitlines()


@pytest.mark.parametrize("path", BROKEN, ids=[path.stem for path in BROKEN])
def test_a_broken_score_says_what_and_where(path: Path) -> None:
    match = EXPECT.match(path.read_text())
    assert match is not None
    line, column, field, message = match.groups()
    lines = _told(path)
    start = f"{path}:{line}:{column}: " + (f"{field}: " if field else "") + message
    assert any(found.startswith(start) for found in lines), lines


def test_there_are_enough_of_them() -> None:
    assert len(BROKEN) >= 30
    assert len(WHOLE) >= 12


@pytest.mark.parametrize("path", WHOLE, ids=[path.stem for path in WHOLE])
def test_all_that_is_wrong_is_told_at_once(path: Path) -> None:
    expected = re.findall(r"^# tells: (.*)$", path.read_text(), re.MULTILINE)
    told = [line.removeprefix(f"{path}:") for line in _told(path, shell=True)]
    assert _without_bash(told) == _without_bash(expected)
    assert all("; " in line for line in told if "bash: " in line)


def _without_bash(lines: list[str]) -> list[str]:
    """The words of bash are those of its version."""
    return [line.partition("bash: ")[0] for line in lines]


@pytest.mark.slow
def test_validate_refuses_them_all_with_exit_code_2() -> None:
    program = [sys.executable, "-c", "from marianne.cli.main import main; main()"]
    done = subprocess.run(
        [*program, "validate", *BROKEN], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 2
    for path in BROKEN:
        assert f"{path}:" in done.stderr


GENERATED = {
    "flow nesting": "name: x\nsheets: " + "[" * 2_000_000,
    "block nesting": "name: x\nsheets:\n" + "- " * 2_000_000,
    "indented nesting": "name: x\nsheets:\n" + "".join(" " * n + "a:\n" for n in range(3000)),
    "a number of a million digits": "name: x\nsheets: " + "9" * 1_000_000,
    "a template that repeats": "name: x\nsheets: [{name: a, run: \"{{ 'x' * 9 ** 9 }}\"}]",
    "a template that loops": (
        "name: x\nsheets: [{name: a, run: '{% for i in range(10**9) %}x{% endfor %}'}]"
    ),
    "a very large file": "name: x\nsheets: # " + "x" * 9_000_000,
    "control characters": "name: x\nsheets: \x00",
    "fifty thousand unknown keys": "name: x\nsheets: [{name: a, run: b}]\n"
    + "".join(f"key{n}: 1\n" for n in range(50_000)),
}

LIMITED = """
import sys, time
from marianne.instruments.registry import Registry
from marianne.score import ScoreError, load_plan
began = time.process_time()
text = sys.stdin.read()
try:
    load_plan(None, text, base_dir="/nowhere", workspace=None, variables={},
              instruments=Registry.load())
except ScoreError as error:
    assert error.problems
    print(error.render().splitlines()[0][:300])
# Not ru_maxrss: that counts what the process was before its exec, a copy of the test runner.
with open("/proc/self/status") as status:
    peak = int(status.read().split("VmHWM:")[1].split()[0]) / 1024
print(time.process_time() - began, peak)
"""


@pytest.mark.slow
@pytest.mark.parametrize("kind", [*GENERATED, "alias-bomb", "merge-bomb"])
def test_hostile_input_is_refused_cheaply(kind: str) -> None:
    text = GENERATED.get(kind) or (BROKEN[0].parent / f"{kind}.yaml").read_text()
    done = subprocess.run(
        [sys.executable, "-c", LIMITED],
        input=text,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CORE, (0, 0)),
    )
    assert done.returncode == 0, done.stderr[-2000:]
    first, last = done.stdout.splitlines()
    assert first.startswith("<stdin>:")
    seconds, megabytes = map(float, last.split())
    assert seconds < 2
    assert megabytes < 200

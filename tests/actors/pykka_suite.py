"""pykka's own test suite, run in a copy against our actors.

    python tests/actors/pykka_suite.py [SDIST]

The suite is in pykka's sdist, which pip fetches if none is given; no file of it is kept here. It
runs twice: what it takes for `pykka.ThreadingActor` is our `Actor`, and then the class that stands
behind a plain pykka class. docs/actors.md has the table of the tests that fail on purpose.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tarfile
import tempfile
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from xml.etree import ElementTree

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
ROW = re.compile(r"^\| `(test_\w+)` \| (both|`Actor`|plain) \|", re.MULTILINE)

PLUGIN = '''
import os
from types import SimpleNamespace
from unittest import mock

import pykka
import pytest

import actors
from actors.plain_pykka import as_actor

wanted = {"Actor": actors.Actor, "plain": as_actor(pykka.ThreadingActor)}
pykka.ThreadingActor = wanted[os.environ["IN_PLACE_OF_PYKKAS"]]


@pytest.fixture
def mocker():
    """What the suite uses of pytest-mock."""
    patches = []

    def patch(*args, **kwargs):
        patches.append(mock.patch.object(*args, **kwargs))
        return patches[-1].start()

    yield SimpleNamespace(
        patch=SimpleNamespace(object=patch),
        Mock=mock.Mock,
        MagicMock=mock.MagicMock,
        NonCallableMock=mock.NonCallableMock,
    )
    for patched in reversed(patches):
        patched.stop()
'''


class UnavailableError(Exception):
    """There is no sdist to be had."""


@dataclass
class Result:
    """Names of the tests, each with its parameters, of one run."""

    passed: set[str]
    failed: set[str]


def fetch(directory: Path) -> Path:
    """The sdist of the installed pykka, by pip, into `directory` unless it is there."""
    wanted = f"pykka=={version('pykka')}"
    found = list(directory.glob(f"pykka-{version('pykka')}.tar.gz"))
    if not found:
        options = ["--quiet", "--retries", "0", "--timeout", "10", "--no-deps"]
        command = [
            sys.executable,
            "-m",
            "pip",
            "download",
            *options,
            "--no-binary",
            "pykka",
            wanted,
        ]
        try:
            ran = subprocess.run(
                command, cwd=directory, capture_output=True, text=True, timeout=120, check=False
            )
        except subprocess.TimeoutExpired:
            raise UnavailableError(f"no {wanted} from the package index within 120 s") from None
        found = list(directory.glob("pykka-*.tar.gz"))
        if not found:
            last = ran.stderr.strip().splitlines()[-1:]
            raise UnavailableError(f"no {wanted} from the package index: {last}")
    return found[0]


def run(sdist: Path, root: Path = ROOT) -> dict[str, Result]:
    """Runs both at the same time, with the `actors` of `root`."""
    with tempfile.TemporaryDirectory() as name:
        copy = Path(name)
        with tarfile.open(sdist) as archive:
            archive.extractall(copy, filter="data")
        (suite,) = copy.glob("*/tests")
        (suite.parent / "in_place.py").write_text(PLUGIN)
        running = {which: _start(suite.parent, root, which) for which in ("Actor", "plain")}
        return {which: _result(suite.parent, which, ran) for which, ran in running.items()}


def _start(directory: Path, root: Path, which: str) -> subprocess.Popen[str]:
    options = ["-p", "in_place", "-p", "no:cacheprovider", "-p", "no:randomly", "-q"]
    options += ["--timeout", "60", f"--junitxml={which}.xml", "-c", os.devnull, "--rootdir", "."]
    return subprocess.Popen(
        [sys.executable, "-m", "pytest", *options, "tests"],
        cwd=directory,
        env={**os.environ, "IN_PLACE_OF_PYKKAS": which, "PYTHONPATH": f"{directory}:{root}"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def _result(directory: Path, which: str, ran: subprocess.Popen[str]) -> Result:
    try:
        said, _ = ran.communicate(timeout=150)
    except subprocess.TimeoutExpired:
        ran.kill()
        said, _ = ran.communicate()
    report = directory / f"{which}.xml"
    if not report.exists():
        raise AssertionError(f"the suite did not run to its end:\n{said}")
    result = Result(set(), set())
    for case in ElementTree.parse(report).iter("testcase"):
        bad = case.find("failure") is not None or case.find("error") is not None
        name = f"{case.get('classname')}.{case.get('name')}"
        (result.failed if bad else result.passed).add(name)
    return result


def expected(which: str) -> set[str]:
    """The tests that the page says fail."""
    rows = ROW.findall((ROOT / "docs" / "actors.md").read_text())
    return {test for test, of in rows if of.strip("`") in {which, "both"}}


def functions(names: set[str]) -> set[str]:
    """The names of the tests without module and parameters."""
    return {re.sub(r"\[.*", "", name).rpartition(".")[2] for name in names}


def main() -> int:
    with tempfile.TemporaryDirectory() as name:
        try:
            sdist = Path(sys.argv[1]) if sys.argv[1:] else fetch(Path(name))
        except UnavailableError as why:
            print(why, file=sys.stderr)
            return 2
        results = run(sdist)
    right = True
    for which, result in results.items():
        print(f"{which}: {len(result.passed)} passed, {len(result.failed)} failed")
        for test in sorted(result.failed):
            known = functions({test}) <= expected(which)
            print("  as the page says:" if known else "  UNEXPECTED:", test)
        right &= functions(result.failed) == expected(which)
    return 0 if right else 1


if __name__ == "__main__":
    sys.exit(main())

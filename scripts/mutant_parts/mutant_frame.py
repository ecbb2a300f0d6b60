"""Plants and the checks that should find them: what all parts of scripts/mutants share.

A part is a list of plants and a call of :func:`main`. A plant replaces a text that is exactly once
in its file; one whose text is no longer there is an error, never skipped. The checks run in a copy
of the checkout, with this checkout's environment, and each is run once on the sound copy first: one
that fails there finds nothing, and is not asked.
"""

from __future__ import annotations

import argparse
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

ROOT = Path(__file__).parents[2]
PYTHON = ROOT / ".venv" / "bin" / "python"
PACKAGES = ("marianne", "actors", "ipc")


@dataclass(frozen=True)
class Check:
    """A command that fails when something is wrong. ``seconds``: as if it failed after them."""

    name: str
    words: tuple[str, ...]
    seconds: float = 300.0


@dataclass(frozen=True)
class Plant:
    """One fault: in ``file``, ``old`` becomes ``new``. ``checks`` are run until one finds it."""

    name: str
    file: str
    old: str
    new: str
    checks: tuple[Check, ...]

    def into(self, place: Path) -> None:
        """Plants it below ``place``. SystemExit when the text is not there exactly once."""
        path = place / self.file
        text = path.read_text()
        if text.count(self.old) != 1:
            count = text.count(self.old)
            raise SystemExit(f"{self.name}: its text is {count} times in {self.file}, not once")
        path.write_text(text.replace(self.old, self.new))


def pytest(*tests: str) -> Check:
    """Named tests as a check."""
    name = " ".join(test.rpartition("/")[2] for test in tests)
    return Check(name, ("-m", "pytest", "-q", "-x", "-p", "no:randomly", *tests))


def main(plants: Sequence[Plant], words: Sequence[str], about: str) -> int:
    """Plants each and prints which check found it. Exit code 1 when one was not found."""
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("--only", metavar="WORD", help="plants whose name has this word")
    parser.add_argument("--by", metavar="WORD", help="only by checks whose name has this word")
    parser.add_argument("--list", action="store_true", help="print them and do nothing")
    given = parser.parse_args(words)
    chosen = [plant for plant in plants if given.only is None or given.only in plant.name]
    if given.by is not None:
        chosen = [narrowed(plant, given.by) for plant in chosen]
    with tempfile.TemporaryDirectory(prefix="mutants-", ignore_cleanup_errors=True) as folder:
        place = Path(folder) / "copy"
        copy(place)
        for plant in chosen:
            before = (place / plant.file).read_text()
            plant.into(place)
            (place / plant.file).write_text(before)
        if given.list:
            print("\n".join(f"{plant.name}: {plant.file}" for plant in chosen))
            return 0
        sound = sound_first(place, [check for plant in chosen for check in plant.checks])
        found = sum(_try(place, plant, sound) for plant in chosen)
    print(f"{len(chosen)} plants, {found} found")
    return 0 if found == len(chosen) else 1


def narrowed(plant: Plant, word: str) -> Plant:
    """The same with only those of its checks whose name has the word."""
    return replace(plant, checks=tuple(check for check in plant.checks if word in check.name))


def copy(place: Path) -> None:
    """Copies what git knows, and what it would take, to ``place``."""
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listed, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    for name in filter(None, names.split("\0")):
        if (ROOT / name).exists():
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, place / name)
    look = f"import {', '.join(PACKAGES)}; print({PACKAGES[0]}.__file__)"
    where = _run(place, Check("import", ("-c", look)))[1].strip()
    if not where.startswith(str(place)):
        raise SystemExit(f"the copy's code is not the one that runs: {where}")


def sound_first(place: Path, checks: Sequence[Check]) -> frozenset[Check]:
    """Runs each check on the sound copy; those that pass. One that fails there finds nothing."""
    passed = set()
    for check in dict.fromkeys(checks):
        begun = time.monotonic()
        failed, said = _run(place, check)
        print(f"{'UNSOUND' if failed else 'sound'}: {check.name}, {time.monotonic() - begun:.0f} s")
        print("".join(f"    {line}\n" for line in reasons(said) if failed), end="", flush=True)
        if not failed:
            passed.add(check)
    return frozenset(passed)


def _try(place: Path, plant: Plant, sound: frozenset[Check]) -> bool:
    before = (place / plant.file).read_text()
    plant.into(place)
    begun, missed = time.monotonic(), []
    try:
        for check in (check for check in plant.checks if check in sound):
            failed, said = _run(place, check)
            if failed:
                after = f" (not by {', '.join(missed)})" if missed else ""
                took = time.monotonic() - begun
                print(f"found: {plant.name}, by {check.name}{after}, {took:.0f} s", flush=True)
                print("".join(f"    {line}\n" for line in reasons(said)), end="", flush=True)
                return True
            missed.append(check.name)
    finally:
        (place / plant.file).write_text(before)
    print(f"NOT FOUND: {plant.name}, by {' nor by '.join(missed) or 'no check'}", flush=True)
    return False


def reasons(said: str) -> list[str]:
    """The lines that say why a check failed."""
    lines = said.splitlines()
    told = [line for line in lines if line.startswith(("FAILED ", "ERROR ", "E  "))]
    for number, line in enumerate(lines):
        if line.endswith(" violations"):
            told += [one for one in lines[number + 1 :] if one.startswith("  ")][:3]
            break
    return [line[:160] for line in (told or lines[-3:])[:4]]


def _run(place: Path, check: Check) -> tuple[bool, str]:
    """Whether it failed, and what it said. Whatever it leaves in its session is ended."""
    home = place.parent / "tmp"
    home.mkdir(exist_ok=True)
    env = os.environ | {"PYTHONPATH": str(place), "TMPDIR": str(home)}
    with tempfile.TemporaryFile("w+", errors="replace") as out:
        process = subprocess.Popen(
            [PYTHON, *check.words], cwd=place, env=env, start_new_session=True,
            stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT,
        )  # fmt: skip
        in_time = _ends(process, check.seconds)
        if not in_time:
            os.killpg(process.pid, signal.SIGTERM)
            _ends(process, 60.0)
        os.killpg(process.pid, signal.SIGKILL)  # while it is uncollected its number is its own
        failed = process.wait() != 0 or not in_time
        out.seek(0)
        said = out.read()
    return failed, said if in_time else f"{said}\nERROR no end within {check.seconds:g} s"


def _ends(process: subprocess.Popen[bytes], seconds: float) -> bool:
    """Whether it ended within so many seconds. It is not collected."""
    pidfd = os.pidfd_open(process.pid)
    try:
        return bool(select.select([pidfd], [], [], seconds)[0])
    finally:
        os.close(pidfd)


if __name__ == "__main__":
    sys.exit("this is no part: see scripts/mutants --help")

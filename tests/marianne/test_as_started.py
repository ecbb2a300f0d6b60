"""What was replaced since a process began is not imported."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import marianne
from marianne import as_started
from marianne.as_started import AsStarted, ReplacedError

FILE = str(Path(marianne.__file__).with_name("version.py"))
NAME, PATH = "marianne.version", list(marianne.__path__)


def test_what_is_as_it_was_is_found_where_it_was() -> None:
    spec = AsStarted(as_started.signatures(), lambda _: True).find_spec(NAME, PATH)
    assert spec is not None
    assert spec.origin == FILE


@pytest.mark.parametrize("soon", [True, False])
@pytest.mark.parametrize(
    "known", [None, (1, os.stat(FILE).st_size), (os.stat(FILE).st_mtime_ns, 1)]
)
def test_what_is_new_or_another_one_is_refused_and_told_of(
    known: tuple[int, int] | None, soon: bool
) -> None:
    told: list[str] = []

    def tell(file: str) -> bool:
        told.append(file)
        return soon

    files = {} if known is None else {FILE: known}
    with pytest.raises(ReplacedError, match=r"version\.py is not what it was") as refused:
        AsStarted(files, tell).find_spec(NAME, PATH)
    assert told == [FILE]
    assert refused.value.soon is soon


def test_other_peoples_modules_and_what_is_gone_are_left_to_others() -> None:
    finder = AsStarted({}, lambda _: pytest.fail("nothing of ours"))
    assert finder.find_spec("json.decoder", None) is None
    assert finder.find_spec("marianne_of_somebody", None) is None
    assert finder.find_spec("marianne.gone", PATH) is None


def test_a_process_that_holds_its_program_imports_what_is_as_it_was_and_nothing_else(
    tmp_path: Path,
) -> None:
    program = f"""
import sys, marianne
sys.path.insert(0, {str(tmp_path)!r})
marianne.__path__.append({str(tmp_path)!r})
from marianne import as_started
finder = as_started.hold(lambda file: False)
import marianne.version, somebodys
open({str(tmp_path / "late.py")!r}, "w").write("")
try:
    import marianne.late
except ImportError as error:
    print("refused", error)
sys.meta_path.remove(finder)
import marianne.late
"""
    (tmp_path / "somebodys.py").touch()
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("refused ")
    assert "late.py is not what it was when the conductor started" in done.stdout

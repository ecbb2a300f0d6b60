"""A shell that allows too little is named, in words, before or after a conductor has tried."""

from __future__ import annotations

import resource
import subprocess

import pytest
from e2e_marianne import PROGRAM, Marianne

FEW_FILES = "this shell allows 64 open files, and a conductor needs 256"


def started(marianne: Marianne, which: int, most: int, *argv: str) -> str:
    """What a start with this limit says; it fails."""
    done = subprocess.run(
        [PROGRAM, *argv],
        env=marianne.env,
        cwd=marianne.place,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        preexec_fn=lambda: resource.setrlimit(which, (most, most)),
    )
    assert done.returncode == 3, done
    assert "Traceback" not in done.stderr
    return done.stderr


@pytest.mark.parametrize(
    "argv", [("start",), ("start", "--foreground"), ("start", "--foreground", "--heart")]
)
def test_few_open_files_are_refused_and_nothing_is_begun(
    marianne: Marianne, argv: tuple[str, ...]
) -> None:
    assert FEW_FILES in started(marianne, resource.RLIMIT_NOFILE, 64, *argv)
    assert not (marianne.home / "logs").exists()


@pytest.mark.parametrize(
    ("which", "most", "words"),
    [
        (resource.RLIMIT_AS, 250 << 20, "ulimit -v allows 256,000 kB of address space"),
        (resource.RLIMIT_FSIZE, 4096, "ulimit -f allows 4 kB of a file"),
    ],
)
def test_a_start_that_fails_names_the_limit_that_may_be_why(
    marianne: Marianne, which: int, most: int, words: str
) -> None:
    assert f"it may be that {words}" in started(marianne, which, most, "start")
    assert marianne.processes() == {}

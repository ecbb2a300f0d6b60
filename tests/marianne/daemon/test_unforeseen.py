"""What a request is told that met an error which nobody foresaw."""

from __future__ import annotations

import errno

import pytest

from ipc.errors import RETRYABLE
from marianne.daemon.shared.refusal import Refused
from marianne.daemon.shared.unforeseen import refusal_of, refused


@pytest.mark.parametrize(
    "error",
    [OSError(errno.EMFILE, "Too many open files"), OSError(errno.ENOMEM, "x"), MemoryError()],
)
def test_what_the_machine_lacks_just_now_may_be_asked_again(error: Exception) -> None:
    for told in (refused(error), refusal_of(error)):
        assert isinstance(told, Refused)
        assert told.code in RETRYABLE
        assert told.code == "unavailable"


@pytest.mark.parametrize("error", [ValueError("x"), OSError(errno.ENOTDIR, "Not a directory")])
def test_what_would_fail_again_is_a_fault_of_the_conductor(error: Exception) -> None:
    assert refused(error).code == "internal"


def test_program_files_that_are_gone_are_said_with_what_helps() -> None:
    told = refused(ModuleNotFoundError("No module named 'marianne.x'"))
    assert (told.code, "marianne.x" in told.message) == ("internal", True)
    assert "marianne restart" in str(told.hint)

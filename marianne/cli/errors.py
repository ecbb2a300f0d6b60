"""What a verb raises when it cannot do what was asked."""

from __future__ import annotations

import errno
import os
import sys
from typing import Any

from marianne.cli import exit_codes

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)
"""What a write to a disk fails with when there is no room, or no disk."""


class CliError(Exception):
    """One clear message for the user, with a hint of what to do next.

    ``code`` is an error code of the protocol or one of the command line's own (see
    ``exit_codes.BY_ERROR``); it decides the exit code. ``data`` carries details that only some
    errors have, such as the problems of an invalid score.
    """

    def __init__(self, code: str, message: str, hint: str | None = None, data: Any = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.hint = hint
        self.data = data

    @property
    def exit_code(self) -> int:
        """The exit code that this error gives the program."""
        return exit_codes.for_error(self.code)

    def to_map(self) -> dict[str, Any]:
        """The form that ``--json`` prints."""
        error = {"code": self.code, "message": self.message, "hint": self.hint}
        data = self.data if isinstance(self.data, dict) else {}
        if data.get("problems"):
            error["problems"] = data["problems"]
        return {**self.waited_for, "error": error}

    @property
    def waited_for(self) -> dict[str, Any]:
        """``job_id`` (of several: ``job_ids``) of what goes on although the waiting has ended."""
        ended = ("timeout", "interrupted", "no_conductor")
        if self.code not in ended or not isinstance(self.data, dict):
            return {}
        return {name: self.data[name] for name in ("job_id", "job_ids") if name in self.data}


def no_conductor(home: object) -> CliError:
    """Nobody holds the lock of this home."""
    return CliError(
        "no_conductor", f"no conductor is running for {home}", "start one with: marianne start"
    )


def unexpected(error: Exception) -> CliError:
    """A fault that no verb foresaw. MARIANNE_TRACEBACK=1 shows where, for a bug report."""
    if os.environ.get("MARIANNE_TRACEBACK"):
        import traceback

        traceback.print_exc()
    from marianne.home import HomeError

    if isinstance(error, HomeError):
        return CliError("bad_home", str(error))
    if isinstance(error, FileNotFoundError) and _has_no_directory():
        return CliError("os_error", "the current directory is gone", "cd to one that exists")
    if isinstance(error, OSError):
        if error.filename is None and error.errno in FULL and _output_is_full():
            return CliError("os_error", f"the output could not be written: {error.strerror}")
        where = f": {error.filename}" if error.filename else ""
        return CliError("os_error", f"{error.strerror or error}{where}")
    hint = "this is a fault of marianne; MARIANNE_TRACEBACK=1 shows where"
    return CliError("internal", f"{type(error).__name__}: {error}", hint)


def _output_is_full() -> bool:
    """Whether standard output takes nothing: a line's end is tried, since what was written is cut
    short anyway and may have left the buffer."""
    try:
        sys.stdout.flush()
        os.write(1, b"\n")
    except OSError:
        return True
    return False


def _has_no_directory() -> bool:
    """Whether somebody has removed the directory that this process is in (getcwd(3))."""
    try:
        os.getcwd()
    except FileNotFoundError:
        return True
    return False

"""The files of an attempt."""

from __future__ import annotations

import os

from marianne.regular_file import open_regular
from marianne.run.spawn import PASSING


class Files:
    """``sheets/<num>.<attempt>.{prompt,out,err,check,trap,fresh}`` of a job: flat, a directory
    each costs. ``trap`` is there while a script that failed has not been looked at, ``fresh`` where
    the sheet declares what it makes."""

    __slots__ = ("check", "err", "fresh", "out", "prompt", "trap")

    def __init__(self, job_dir: str, num: int, attempt: int) -> None:
        base = f"{job_dir}/sheets/{num}.{attempt}."
        self.prompt = base + "prompt"
        self.out = base + "out"
        self.err = base + "err"
        self.check = base + "check"
        self.trap = base + "trap"
        self.fresh = base + "fresh"


def work_dir(job_dir: str, num: int, attempt: int) -> str:
    """The workspace of an attempt on a machine that shares none."""
    return f"{job_dir}/work/{num}.{attempt}"


def tail(path: str, chars: int) -> str:
    """The last ``chars`` characters of a file; empty if there is none, or something else in its
    place: a sheet can put it there. Never reads all of it.

    Raises OSError when it cannot be read just now.
    """
    try:
        with open_regular(path) as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - 4 * chars))
            data = file.read(4 * chars)
    except OSError as error:
        if error.errno in PASSING:
            raise
        return ""
    return data.decode("utf-8", "replace")[-chars:] if chars > 0 else ""


def write_prompt(path: str, text: str) -> None:
    """Writes what the program gets as stdin, readable only to us: it may hold secrets."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        data = memoryview(text.encode("utf-8", "surrogateescape"))
        while data:
            data = data[os.write(fd, data) :]
    finally:
        os.close(fd)

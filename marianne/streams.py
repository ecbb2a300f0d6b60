"""Standard streams: those that were closed by whoever started us, and what may go to them."""

from __future__ import annotations

import os
import select
import stat
import sys

STDERR = 2
"""The descriptor that every process of ours has for its complaints (stdio(3))."""


def open_standard_streams() -> None:
    """Opens /dev/null in the place of each that is closed.

    Else the next file that is opened gets its number, and what is printed goes into a lock or a
    database, and what is passed on to a child is overwritten there (the standards reserve 0, 1 and
    2, see execve in POSIX). Python's own stream objects are None then, and cannot be printed to.
    """
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        try:
            os.fstat(number)
        except OSError:
            opened = os.open(os.devnull, os.O_RDWR)  # the lowest free number: this one
            os.set_inheritable(opened, True)
            setattr(sys, name, open(opened, mode, closefd=False))  # noqa: SIM115 - for good


def say_now(text: str) -> None:
    """To standard error, without waiting for anybody: a full disk, where it cannot be written, is
    no reason to end, nor is a reader who has stopped reading one to wait. Then it is left out; of
    a long text a pipe gets the end."""
    data = text.encode("utf-8", "backslashreplace")
    try:
        if select.select((), (STDERR,), (), 0)[1]:
            # A pipe that can be written takes so much at once (pipe(7)), and waits with more.
            whole = stat.S_ISREG(os.fstat(STDERR).st_mode)
            os.write(STDERR, data if whole else data[-select.PIPE_BUF :])
    except OSError:
        pass


def clean(text: str) -> str:
    """Text from elsewhere without control characters, which could drive a terminal."""
    return "".join(c if c.isprintable() or c == "\t" else "\N{REPLACEMENT CHARACTER}" for c in text)

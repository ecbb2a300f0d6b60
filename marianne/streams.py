"""Standard streams: those that were closed by whoever started us, and what may go to them."""

from __future__ import annotations

import os
import sys


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


def clean(text: str) -> str:
    """Text from elsewhere without control characters, which could drive a terminal."""
    return "".join(c if c.isprintable() or c == "\t" else "\N{REPLACEMENT CHARACTER}" for c in text)

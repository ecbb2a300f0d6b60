"""The claim to an attempt: of all nodes that share a directory at most one starts it.

A claim is a file that only one can make. It names who made it, stays as long as the job's files,
and is made before anything of the attempt runs: a node that dies in between has used it up.
"""

from __future__ import annotations

import os
from collections.abc import Collection
from contextlib import suppress

DIRECTORY = "claims"

SETTLED = ".settled"

AHEAD = 16
"""Later attempts that are looked for: some between two that began may never have been claimed."""


def claim(job_dir: str, num: int, attempt: int, node: str) -> str:
    """Claims the attempt for the node, unless another has; returns whose it is.

    Raises OSError where that cannot be made out: then nothing may be started.
    """
    place = os.path.join(job_dir, DIRECTORY, f"{num}.{attempt}")
    fresh = f"{place}.{os.getpid()}.{os.urandom(4).hex()}"
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        os.write(descriptor, node.encode())
        # A link is whole or not there: nobody reads a claim that names nobody.
        os.link(fresh, place)
    except FileExistsError:
        with open(place, encoding="utf-8") as file:
            return file.read()
    finally:
        os.close(descriptor)
        os.unlink(fresh)
    return node


def claimed(job_dir: str, num: int, attempt: int) -> bool:
    """Whether a node may have begun the attempt."""
    return os.path.exists(os.path.join(job_dir, DIRECTORY, f"{num}.{attempt}"))


def settle(job_dir: str, num: int, attempt: int) -> None:
    """It is known for good what became of the attempt: it counts, or it was given up. What comes
    of it from now on changes nothing. Raises OSError."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC
    os.close(os.open(os.path.join(job_dir, DIRECTORY, f"{num}.{attempt}{SETTLED}"), flags, 0o600))


def settled(job_dir: str, num: int, attempt: int) -> bool:
    """Whether it is known what became of the attempt: that was said, or a node may have begun a
    later one."""
    if os.path.exists(os.path.join(job_dir, DIRECTORY, f"{num}.{attempt}{SETTLED}")):
        return True
    later = range(attempt + 1, attempt + 1 + AHEAD)
    return any(claimed(job_dir, num, one) for one in later)


def claims(job_dir: str, known: Collection[tuple[int, int]] = ()) -> dict[tuple[int, int], str]:
    """Who has claimed which attempt, without the ``known`` ones. Raises OSError."""
    place, found = os.path.join(job_dir, DIRECTORY), {}
    try:
        names = os.listdir(place)
    except FileNotFoundError:
        return {}
    for name in names:
        num, _, attempt = name.partition(".")
        if num.isdigit() and attempt.isdigit() and (int(num), int(attempt)) not in known:
            with suppress(FileNotFoundError), open(os.path.join(place, name)) as file:
                found[int(num), int(attempt)] = file.read()
    return found


def release(job_dir: str, num: int, attempt: int) -> None:
    """Takes back an own claim to an attempt that surely never began. What cannot be taken back
    stays claimed."""
    try:
        os.unlink(os.path.join(job_dir, DIRECTORY, f"{num}.{attempt}"))
    except OSError:
        pass


def prepare(job_dir: str) -> None:
    """Makes the place for the claims of a job."""
    os.makedirs(os.path.join(job_dir, DIRECTORY), mode=0o700, exist_ok=True)

"""The claim to an attempt: of all nodes that share a directory at most one starts it.

A claim is a file that only one can make. It names who made it, stays as long as the job's files,
and is made before anything of the attempt runs: a node that dies in between has used it up.
"""

from __future__ import annotations

import os

DIRECTORY = "claims"

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


def overtaken(job_dir: str, num: int, attempt: int) -> bool:
    """Whether a node may have begun a later attempt: this one was given up before that."""
    later = range(attempt + 1, attempt + 1 + AHEAD)
    return any(claimed(job_dir, num, one) for one in later)


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

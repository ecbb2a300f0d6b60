"""What is done for a job beside its sheets: commands after and about it, checks made again.

Plain data on both sides of the seam.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import field
from typing import NamedTuple

from marianne.records import dataclass


@dataclass(frozen=True, slots=True)
class SideCommand:
    """A command for a job, which is known in the files beside its output by ``kind``; for no job
    where ``job_id`` is empty: then in the environment of the conductor.

    ``timeout`` is in seconds; ``extra`` are variables over those of the job's environment. Of those
    that are ``alone`` one of its kind runs for a job: an earlier one is ended first, of whom nobody
    wants to know any more.
    """

    job_id: str
    kind: str
    argv: Sequence[str]
    cwd: str
    timeout: float = 300.0
    stdin: bytes | None = None
    extra: dict[str, str] = field(default_factory=dict)
    alone: bool = False


@dataclass(frozen=True, slots=True)
class CommandEnd:
    """How a command ended. ``said`` is the end of what it printed, without credentials; ``lost``
    says that its process was ended with it: then it has come to nothing of its own. ``by_us``: not
    by a signal, which the command may have sent."""

    ok: bool
    words: str
    said: str = ""
    lost: bool = False
    by_us: bool = False


class Again(NamedTuple):
    """A sheet whose checks are to be made again, by its last attempt. A file that was written
    ``since`` (seconds since the epoch) counts as modified by it."""

    num: int
    attempt: int
    fallback: int
    since: float


class LostError(Exception):
    """What was to find it out was ended before it had: it may be asked again."""

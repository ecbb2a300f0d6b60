"""What worker processes are called: by people, and on the link."""

from __future__ import annotations

from typing import TYPE_CHECKING

from marianne.run.setup import incarnation_of

if TYPE_CHECKING:
    from actors.process import Process

PROCESS_NAME = "marianne-worker "


def job_of(process: Process) -> str | None:
    """The id of the job that a worker process works for; None for another process."""
    name = process.name
    return name.removeprefix(PROCESS_NAME) if name.startswith(PROCESS_NAME) else None


def peer_of(process: Process) -> bytes:
    """What a worker process is called on the link."""
    return incarnation_of(process.pid, process.start_time).encode()

"""The files that a worker process, or another process beside a job, reads."""

from __future__ import annotations

import os
from pathlib import Path


def lay_out(directory: Path, plan: bytes | None, environment: bytes) -> None:
    """Writes the environment, and the plan if one is given (0600), each atomically: a worker may
    be started while something is run beside it."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    for name, content in (("plan", plan), ("env", environment)):
        if content is None:
            continue
        part = directory / f"{name}.{os.urandom(4).hex()}.part"
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)
        part.rename(directory / name)

"""A plan that waits to be put in force: how it is kept, and what is said of it. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ipc import codec
from marianne.daemon.shared import next_steps
from marianne.daemon.shared.parsed import Parsed
from marianne.state.models import NOW, JobRow

if TYPE_CHECKING:
    from marianne.replies.changes import ScoreChange


def pack(parsed: Parsed, config_path: str | None, event: str) -> bytes:
    """The plan and what is written with it; ``event`` says whether it was a resume."""
    packed: bytes = codec.pack(
        {
            "plan": parsed.plan,
            "score": parsed.score,
            "config_hash": parsed.config_hash,
            "config_path": config_path,
            "event": event,
            "after": parsed.after,
        }
    )
    return packed


def message(changed: list[ScoreChange], when: str, dry_run: bool) -> str:
    """What differs, counted, and what becomes of the job."""
    counted = {
        word: sum(c["change"] == word for c in changed if c["sheet"] is not None)
        for word in ("changed", "added", "removed")
    }
    what = ", ".join(f"{number} {word}" for word, number in counted.items() if number)
    what = f"sheets: {what}" if what else "the same sheets"
    return f"{what}; {'nothing was changed' if dry_run else when}"


def goes_on(runs: bool) -> str:
    """When a job goes on by it that nobody holds."""
    return "goes on when the running sheets have ended" if runs else "goes on"


def stays(row: JobRow, runs: bool) -> str:
    """When a job goes on by it that a person has paused."""
    resume = next_steps.named("resume", row.job_id)
    if not runs:
        return f"it stays paused: {resume} lets it go on"
    if row.reason == NOW:
        return (
            f"what runs stands still: after {resume} it ends by the old score, then the job goes on"
        )
    return f"in force when the running sheets have ended; it stays paused until {resume}"

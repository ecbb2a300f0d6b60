"""Which kind of attempt a worker makes of a grant."""

from __future__ import annotations

from typing import Any

from marianne.run.attempt import Attempt
from marianne.run.listing import ListAttempt


def kinds(*, staged: bool) -> tuple[type[Attempt], type[Attempt]]:
    """Of a sheet, and of one that makes a list; ``staged`` where its files are brought."""
    if not staged:
        return Attempt, ListAttempt
    from marianne.run.staged import StagedAttempt, StagedListAttempt  # late: few need it

    return StagedAttempt, StagedListAttempt


def hand_over(attempt: Attempt | None, answer: dict[str, Any]) -> None:
    """Tells an attempt that waits for its files what has become of them."""
    from marianne.run.staged import StagedAttempt

    if isinstance(attempt, StagedAttempt) and attempt.attempt == answer["attempt"]:
        attempt.brought(answer)

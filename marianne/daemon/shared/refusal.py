"""Saying no to a client: an answer with a code, never a dead actor."""

from __future__ import annotations

from typing import Any

from actors import Refusal


class Refused(Refusal):
    """A request that cannot be done, as the client will see it.

    ``code`` is one of docs/protocol.md; ``message`` says what is wrong, ``hint`` what to do next.
    """

    def __init__(
        self,
        code: str,
        message: str,
        *,
        hint: str | None = None,
        data: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.hint = hint
        self.data = data


def not_found(job_id: str) -> Refused:
    """No job of that id or prefix."""
    return Refused("not_found", f"no job {job_id!r}", hint="`marianne list --all` shows them all")

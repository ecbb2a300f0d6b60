"""Sections of the reference's language that have no effect here: accepted, checked, and named.

They speak of hosted models or of things not done yet. A score that has them runs; ``validate``
lists them as "accepted, no effect". Their fields are not judged.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from marianne.model.fields import Count, Num, Number, Section, Timeout
from marianne.score.models import ToolList

INERT: dict[str, str] = {
    "state_backend": "the conductor keeps state in its own database",
    "state_path": "the conductor keeps state in its own database",
    "logging": "the conductor's log settings apply",
    "isolation": "git worktrees are not made",
    "techniques": "needs a hosted model",
    "circuit_breaker": "the breaker's limits are fixed",
    "learning": "the conductor's learning settings apply",
    "grounding": "needs a hosted model",
    "ai_review": "needs a hosted model",
    "checkpoints": "every change is a checkpoint",
    "bridge": "needs a hosted model",
    "feedback": "needs a hosted model",
    "conductor": "the conductor's own configuration applies",
    "agent_card": "needs a hosted model",
    "spec": "needs a hosted model",
}

# Fields of the legacy section that speak of hosted models, or of what the profile says.
INERT_BACKEND = frozenset(
    {
        "max_output_capture_bytes",
        "output_format",
        "api_key_env",
        "max_tokens",
        "temperature",
        "ollama",
        "recursive_light",
    }
)

INERT_HOOK: dict[str, str] = {
    "inherit_learning": "what was learned belongs to the score",
    "detached": "a job that follows is never waited for, a command always is",
}


class SheetOverride(Section):
    """What one sheet has different in the legacy ``backend`` section."""

    cli_model: str | None = None
    model: str | None = None
    temperature: Number | None = Field(default=None, ge=0, le=2)
    max_tokens: Count | None = None
    timeout_seconds: Timeout | None = None


class Backend(Section):
    """The legacy way to choose an instrument; timeouts and models are honoured."""

    type: str = "claude_cli"
    timeout_seconds: Timeout | None = None
    timeout_overrides: dict[Num, Timeout] = {}
    sheet_overrides: dict[Num, SheetOverride] = {}
    working_directory: str | None = None
    max_output_capture_bytes: int = Field(default=51200, ge=1, le=2**62)
    skip_permissions: bool = True
    disable_mcp: bool = True
    output_format: Literal["text", "json", "stream-json"] = "text"
    cli_model: str | None = None
    allowed_tools: ToolList | None = None
    system_prompt_file: str | None = None
    cli_extra_args: list[str] = []
    model: str | None = None
    api_key_env: str | None = None
    max_tokens: int = Field(default=16384, ge=1, le=2**62)
    temperature: Number = Field(default=0.7, ge=0, le=2)
    ollama: dict[str, Any] | None = None
    recursive_light: dict[str, Any] | None = None

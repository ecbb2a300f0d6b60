"""``sandbox:`` of a score, a sheet, an instrument and a conductor, as pydantic models."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from marianne.model.fields import Section
from marianne.walls.asked import WORKSPACE


def _place(value: str) -> str:
    if "\0" in value or not value:
        raise ValueError("a place is a path")
    if value.startswith("~") and not value.startswith("~/") and value != "~":
        raise ValueError("of ~ only your own: write ~/ and what follows")
    return value


Places = list[Annotated[str, AfterValidator(_place)]]


class Sandbox(Section):
    """What a sheet is kept from. Nothing is restricted that is not named here."""

    write: Places | None = Field(
        default=None,
        description=f"the only places that may be written; '{WORKSPACE}' is the job's own",
    )
    read: Places | None = Field(
        default=None, description="the only places, beside the system's, that may be read"
    )
    network: bool = Field(default=True, description="false: none, not even of this machine")
    tmp: Literal["shared", "private"] = Field(
        default="shared", description="private: empty, and gone with the sheet"
    )
    isolate: bool = Field(
        default=False, description="sees no process but its own, and nothing of Marianne's home"
    )
    when_missing: Literal["required", "best-effort"] = Field(
        default="required", description="whether it runs where this machine cannot keep it so"
    )

    def as_map(self) -> dict[str, Any]:
        """What is said, as the plan holds it."""
        return self.model_dump(exclude_unset=True)

"""Who is told of all jobs: receivers as a score has them."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, ValidationError


def _checked(given: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Each as the score's own model has it: imported late, for most conductors have none."""
    if not given:
        return given
    from marianne.score.models import Notification

    found = []
    for number, one in enumerate(given, 1):
        try:
            found.append(Notification.model_validate(one).model_dump())
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            where = ".".join(map(str, first["loc"]))
            told = first["msg"].removeprefix("Value error, ")
            raise ValueError(f"{number}: {where}{': ' if where else ''}{told}") from None
    return found


Receivers = Annotated[list[dict[str, Any]], AfterValidator(_checked)]
"""A list of ``type``, ``on_events``, ``config``."""

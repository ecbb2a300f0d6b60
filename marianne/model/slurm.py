"""What a sheet wants of Slurm for itself: the section ``slurm`` of scores, instruments and
executors, in Slurm's own words.

What a sheet is given of it: :func:`marianne.model.batch.batch_options`.
"""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from marianne.model.fields import Section, parse_duration

_TIME = re.compile(r"(?:(\d+)-)?(\d+)(?::(\d+))?(?::(\d+))?")


def _seconds(value: Any) -> Any:
    """A time limit in seconds: Slurm's ``M:S``, ``H:M:S``, ``D-H``, ``D-H:M``, ``D-H:M:S``, or a
    duration with its unit. A number alone is minutes to Slurm and seconds to us: it is refused."""
    text = value.strip() if isinstance(value, str) else ""
    if not text or text.isdecimal():
        raise ValueError(
            "give a time limit with its unit (30m, 2h, 1d), or as Slurm writes it, in quotes"
            " ('2:00:00', '1-12:00:00')"
        )
    found = _TIME.fullmatch(text)
    if found is None:
        return parse_duration(text)
    days, *parts = (int(part) if part is not None else None for part in found.groups())
    given = [part for part in parts if part is not None]
    if days is None and len(given) == 2:
        given = [0, *given]  # minutes and seconds
    hours, minutes, seconds = (*given, 0, 0)[:3]
    return float((((days or 0) * 24 + hours) * 60 + minutes) * 60 + seconds)


Word = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\s\x00-\x1f]+$")]
TimeLimit = Annotated[
    float,
    BeforeValidator(_seconds, json_schema_input_type=str),
    Field(ge=60, le=366 * 86400),
]


class SlurmOptions(Section):
    """Options of sbatch. ``null`` takes back what is said further away from the sheet."""

    partition: Word | None = Field(default=None, description="The partition.")
    account: Word | None = Field(default=None, description="Who pays.")
    qos: Word | None = Field(default=None, description="The quality of service.")
    time: TimeLimit | None = Field(default=None, description="The time limit that Slurm enforces.")
    gres: Word | None = Field(default=None, description="Generic resources, as sbatch takes them.")
    constraint: Word | None = Field(default=None, description="Features that its node has.")
    reservation: Word | None = Field(default=None, description="The reservation that it is of.")

    def given(self) -> dict[str, Any]:
        """What is said, without defaults."""
        return self.model_dump(exclude_unset=True)


class SlurmSheet(SlurmOptions):
    """The same of a sheet, with whether it has a batch job of its own."""

    batch: bool = Field(default=True, description="A batch job for each of its attempts.")

"""``limits``: what the processes of a sheet may use together."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from marianne.model.fields import Number, Section


class SheetLimits(Section):
    """What a control group of the kernel keeps a sheet's processes to. ``best_effort`` runs them
    also where one of these cannot be kept; else that is refused."""

    max_memory_mb: int | None = Field(default=None, ge=1, le=2**40)
    high_memory_mb: int | None = Field(default=None, ge=1, le=2**40)
    max_processes: int | None = Field(default=None, ge=1, le=2**22)
    max_cpus: Number | None = Field(default=None, ge=0.01, le=1024)
    cpu_weight: int | None = Field(default=None, ge=1, le=10_000)
    io_weight: int | None = Field(default=None, ge=1, le=10_000)
    best_effort: bool | None = None

    @property
    def given(self) -> dict[str, Any]:
        """What is said."""
        return {name: value for name, value in self if value is not None}

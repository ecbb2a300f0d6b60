"""An instrument as a plan holds it, made of its profile."""

from __future__ import annotations

from typing import Any

from marianne.instruments.profile import Profile
from marianne.model.plan import Instrument


def from_profile(
    profile: Profile,
    model: str | None = None,
    config: dict[str, Any] | None = None,
    unavailable: str | None = None,
) -> Instrument:
    """A profile as the plain data that a plan holds."""
    limit = profile.max_concurrent
    costs: dict[str, float] = {}
    for entry in profile.models:
        if entry.name == model:
            limit = entry.max_concurrent
        if entry.name == model and (entry.cost_per_1k_input or entry.cost_per_1k_output):
            costs = {"input": entry.cost_per_1k_input, "output": entry.cost_per_1k_output}
    cli = profile.cli if profile.kind == "cli" else None
    return Instrument(
        profile=profile.name,
        model=model,
        raw_prompt=profile.raw_prompt,
        max_concurrent=limit,
        command=cli.command.model_dump() if cli else {},
        output=cli.output.model_dump() if cli else {},
        errors=cli.errors.model_dump() if cli else {},
        config=config or {},
        unavailable=unavailable,
        costs=costs,
        limits=profile.limits.given if profile.limits else {},
        sandbox=profile.sandbox.as_map() if profile.sandbox else None,
        slurm=profile.slurm.given() if profile.slurm is not None else {},
        executor=profile.executor,
    )

"""Whether an instrument could be played here, without playing it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping

from marianne.instruments.command import build_command
from marianne.instruments.planned import from_profile
from marianne.instruments.profile import Profile
from marianne.instruments.registry import why_unavailable
from marianne.records import dataclass


@dataclass(frozen=True, slots=True)
class Probe:
    """What was found. ``command`` is the line that would be run, with PROMPT for the prompt.

    ``missing_env`` are variables of the profile's allow-list that are not set: a program may do
    without them, so they make no instrument unavailable.
    """

    name: str
    available: bool
    reason: str | None
    executable: str | None
    command: tuple[str, ...]
    missing_env: tuple[str, ...]


def probe(profile: Profile, environ: Mapping[str, str] | None = None) -> Probe:
    """Looks for the program and the environment; starts nothing, so it costs and risks nothing."""
    names = os.environ if environ is None else environ
    search_path = names.get("PATH")
    reason = why_unavailable(profile, search_path)
    if profile.kind == "http" or profile.cli is None:
        return Probe(profile.name, False, reason, None, (), ())
    command = build_command(
        from_profile(profile, profile.default_model), "PROMPT", "PROMPT", None, "."
    )
    wanted = profile.cli.command.required_env or []
    return Probe(
        name=profile.name,
        available=reason is None,
        reason=reason,
        executable=shutil.which(profile.cli.command.executable, path=search_path),
        command=command.argv,
        missing_env=tuple(name for name in wanted if name not in names),
    )

"""The instruments that the command line knows by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from marianne.cli.errors import CliError
from marianne.cli.session import Session

if TYPE_CHECKING:
    from marianne.instruments.profile import Profile
    from marianne.instruments.registry import Registry


def registry_of(session: Session) -> Registry:
    """The built-in instruments, those of the home, and those of the present directory."""
    from marianne.instruments.registry import Registry

    return Registry.load(session.home.instruments, ".marianne/instruments")


def profile_of(registry: Registry, name: str) -> Profile:
    """The instrument of this name, or of which it is another name. Raises CliError."""
    profile = registry.get(name)
    if profile is None:
        raise CliError("not_found", f"there is no instrument {name!r}", "marianne instruments list")
    return profile

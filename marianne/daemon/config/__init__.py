"""The conductor's configuration: what it knows, and how it is put together.

A value comes from, in this order: a flag, the environment, a profile, the file, the default. The
environment's names are the fields' in capitals with two underscores for a dot:
``MARIANNE_RESOURCE_LIMITS__MAX_MEMORY_MB=4096``. The file is ``conductor.yaml`` in the home, else
in the user's configuration directory; a conductor reads it and never writes it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from marianne.daemon.config.profiles import PROFILES
from marianne.daemon.config.untouched import EveryDefault, Untouched
from marianne.daemon.shared.exceptions import ConfigError
from marianne.records import dataclass

if TYPE_CHECKING:
    from marianne.daemon.config.model import DaemonConfig
    from marianne.daemon.config.sections import ResourceLimitConfig
    from marianne.home import Home

__all__ = ["ConfigError", "DaemonConfig", "Loaded", "ResourceLimitConfig", "load_config"]

VARIABLE_PREFIX = "MARIANNE_"
PROFILE_VARIABLE = "MARIANNE_PROFILE"

RESTART_ONLY = frozenset(
    {
        "socket",
        "listen",
        "pid_file",
        "state_db_path",
        "state_backend_type",
        "log_file",
        "log_format",
        "executor",
        "executors",
    }
)
"""Fields that a reload leaves alone: a running conductor has them open."""


_NO_SETTINGS = frozenset({"MARIANNE_CONNECT", "MARIANNE_HOME", "MARIANNE_ORIGINAL_LIMITS"})
"""Variables that begin as those of settings do; looking for others in the model costs building it.
"""


_MODELS = {"DaemonConfig": "model", "ResourceLimitConfig": "sections"}


def __getattr__(name: str) -> Any:
    """The models, when they are first asked for: without them a conductor starts quicker."""
    if name not in _MODELS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODELS[name]}"), name)


@dataclass(frozen=True, slots=True)
class Loaded:
    """A configuration, and for each dotted name where its value comes from.

    ``origins``: *default*, *file*, *profile*, *env* or *flag*. ``notes`` says what a person should
    know: fields that are set and have no effect, where they are set and why.
    """

    config: DaemonConfig
    origins: Mapping[str, str]
    notes: tuple[str, ...] = ()


def load_config(
    home: Home, path: Path | None = None, flags: Mapping[str, Any] | None = None
) -> Loaded:
    """The configuration for ``home``, from every source; ConfigError if one does not fit.

    Places that nobody set are those of the home.
    ``path`` replaces the places where a file is looked for, and must exist. ``flags`` are values
    by dotted name (``resource_limits.max_memory_mb``), those that are None are not set; ``profile``
    names a profile.
    """
    given = {name: value for name, value in (flags or {}).items() if value is not None}
    named = given.pop("profile", None)
    profile = str(named) if named is not None else os.environ.get(PROFILE_VARIABLE) or None
    file, found_by = _find(home, path)
    variables = _variables()
    if file is None and profile is None and not variables and not given:
        return Loaded(cast("DaemonConfig", Untouched(home)), EveryDefault())
    from marianne.daemon.config import file as config_file
    from marianne.daemon.config.model import DaemonConfig

    layers: list[config_file.Layer] = []
    if file is not None:
        layers.append(config_file.read(file))
        layers.append(config_file.Layer(found_by, {"config_file": str(file)}))
    if profile is not None:
        layers.append(config_file.Layer("profile", config_file.profile(profile, PROFILES)))
    layers.append(config_file.Layer("env", variables))
    layers.append(config_file.Layer("flag", given))
    merged, set_by = config_file.merge(layers)
    config = placed(merged, home)
    return Loaded(
        config,
        {name: config_file.origin(name, set_by) for name in DaemonConfig.names()},
        config_file.notes(config, set_by),
    )


def changed(old: DaemonConfig, new: DaemonConfig) -> tuple[list[str], list[str]]:
    """The dotted names that differ: those a reload can apply, and those that need a restart."""
    before, after = dict(old.values()), dict(new.values())
    differ = [name for name in {**before, **after} if before.get(name) != after.get(name)]
    differ = [name for name in differ if name != "config_file"]
    later = [name for name in differ if name.split(".")[0] in RESTART_ONLY]
    return [name for name in differ if name not in later], later


def variable_of(name: str) -> str:
    """The environment variable that sets the field of this dotted name."""
    return VARIABLE_PREFIX + name.upper().replace(".", "__")


def placed(config: DaemonConfig, home: Home) -> DaemonConfig:
    """The configuration with its files in the home where no other place is set."""
    places = config.at(home)
    return config.model_copy(
        update={
            "socket": config.socket.model_copy(update={"path": places.conductor_sock}),
            "pid_file": places.pid_file,
            "state_db_path": places.db,
            "log_file": places.log,
        }
    )


def _find(home: Home, path: Path | None) -> tuple[Path | None, str]:
    """The file to read, and what named it."""
    if path is not None:
        return Path(os.path.abspath(path)), "flag"
    given = os.environ.get(variable_of("config_file"))
    if given:
        return Path(os.path.abspath(os.path.expanduser(given))), "env"
    from marianne.home import config_places

    places = config_places(home)
    return next((place for place in places if os.path.lexists(place)), None), "default"


def _variables() -> dict[str, str]:
    """Fields by dotted name that the environment sets. Other variables may begin alike."""
    given = {name for name in os.environ if name.startswith(VARIABLE_PREFIX)}
    if not given - _NO_SETTINGS:
        return {}
    from marianne.daemon.config.model import DaemonConfig

    known = {variable_of(name): name for name in DaemonConfig.names() if name != "config_file"}
    return {known[name]: value for name, value in os.environ.items() if name in known}

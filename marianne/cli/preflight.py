"""What this home's configuration says of prompts and machines, for scores that are read here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from marianne.home import Home
    from marianne.score.settings import ScoreSettings
    from marianne.walls.group_offer import GroupOffer


def score_settings(home: Home) -> ScoreSettings:
    """What this home's conductor would say of a score. The defaults where the configuration does
    not fit: that is no fault of a score, and ``config check`` says it; where sheets may run is not
    known then."""
    from marianne.daemon.config import ConfigError, DaemonConfig, load_config
    from marianne.daemon.processes.score_settings import score_settings

    try:
        return score_settings(load_config(home).config, _Missing(home))
    except ConfigError:
        unset = score_settings(DaemonConfig.model_construct(), _Missing(home))
        return replace(unset, executors=(), batch=None)


class _Missing(Mapping[str, str]):
    """Why controllers of limits cannot be had: by this home's conductor, or by one that is started
    here. Found out when it is asked, which few scores need."""

    def __init__(self, home: Home) -> None:
        self._home = home

    @cached_property
    def _found(self) -> Mapping[str, str]:
        return groups_of(self._home).missing

    def __getitem__(self, name: str) -> str:
        return self._found[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._found)

    def __len__(self) -> int:
        return len(self._found)


def groups_of(home: Home) -> GroupOffer:
    """The control groups of this home's conductor, or those of one that is started here."""
    from marianne.walls.cgroups import base_of
    from marianne.walls.group_offer import control_groups

    try:
        owner = home.owner_file.read_text(encoding="ascii").partition("\n")[0].strip()
    except (OSError, ValueError):
        owner = ""  # no conductor has ever run here
    return control_groups(base_of(home.path, owner))


def unusable_executor(home: Home) -> str | None:
    """Why this home's sheets could not run anywhere: one of its clusters cannot be used as it is
    described (its library is not installed, its address is another machine's without TLS), and so
    no conductor starts. None where all can, or where something else of the configuration does not
    fit."""
    from marianne.daemon.config import ConfigError, load_config

    try:
        load_config(home)
    except ConfigError as error:
        found = (one for one in error.problems if (one.field or "").startswith("executor"))
        return next((problem.render() for problem in found), None)
    return None

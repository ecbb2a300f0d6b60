"""What this home's configuration says of prompts and machines, for scores that are read here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from marianne.home import Home

Map = dict[str, Any]


def score_limits(home: Home) -> Map:
    """From how many tokens on is warned, and refused (``limits``), and what there is for sheets
    (``supply``). The defaults where the configuration does not fit: that is no fault of a score,
    and ``config check`` says it."""
    from marianne.daemon.config import ConfigError, DaemonConfig, load_config

    try:
        config = load_config(home).config
    except ConfigError:
        config = DaemonConfig.model_construct()
    return {"limits": config.preflight.tokens, "supply": config.supply}


def missing_library(home: Home) -> str | None:
    """Why this home's sheets could not run anywhere: the library of its cluster is not installed.
    None where it is, or where something else of the configuration does not fit."""
    from marianne.daemon.config import ConfigError, load_config

    try:
        load_config(home)
    except ConfigError as error:
        from marianne.daemon.config.executors import NEEDS_LIBRARY

        found = (problem.render() for problem in error.problems)
        return next((text for text in found if NEEDS_LIBRARY in text), None)
    return None

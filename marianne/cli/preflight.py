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

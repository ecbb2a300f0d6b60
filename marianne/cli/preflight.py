"""What this home's configuration says of the length of prompts, for scores that are read here."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from marianne.home import Home


def prompt_limits(home: Home) -> tuple[int, int]:
    """From how many tokens on is warned, and refused. The defaults where the configuration does not
    fit: that is no fault of a score, and ``config check`` says it."""
    from marianne.daemon.config import ConfigError, DaemonConfig, load_config

    try:
        config = load_config(home).config
    except ConfigError:
        config = DaemonConfig.model_construct()
    return config.preflight.tokens

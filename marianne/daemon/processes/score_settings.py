"""What a conductor says to whoever reads a score."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from marianne.score.kept_limits import Keepers
from marianne.score.preflight import PromptLimits
from marianne.score.settings import ScoreSettings
from marianne.score.supply import Supply
from marianne.walls.cgroup_place import CONTROLLERS

if TYPE_CHECKING:
    from marianne.daemon.config.model import DaemonConfig

ON_A_CLUSTER = dict.fromkeys(
    CONTROLLERS, "sheets run on a cluster, whose nodes have no control groups of ours"
)


def score_settings(config: DaemonConfig, missing: Mapping[str, str]) -> ScoreSettings:
    """``missing`` says why each controller of limits that this machine cannot have is not there."""
    return ScoreSettings(
        prompts=PromptLimits(*config.preflight.tokens),
        supply=Supply(*config.supply),
        keepers=Keepers(missing, dict(config.limits.given), ON_A_CLUSTER),
        staged=config.staged,
        batch=config.batch,
        executors=config.executor_names,
        thinking_method=config.default_thinking_method,
        sandbox=config.kept_from,
    )

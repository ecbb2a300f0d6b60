"""What a conductor says of the scores that it runs, as far as reading one depends on it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from marianne.records import dataclass
from marianne.score.kept_limits import Keepers
from marianne.score.preflight import UNBOUNDED, PromptLimits
from marianne.score.supply import Supply


@dataclass(frozen=True, slots=True)
class ScoreSettings:
    """``prompts`` bounds the length of prompts; ``supply`` is what a sheet may take (None: the
    machines are not known), ``keepers`` says which limits are kept (None: nobody asks). ``staged``
    are the executors whose nodes share no directory with the conductor, ``batch`` those where a
    sheet may have a batch job of its own (None: nobody knows), ``executors`` all that there are,
    first that of what says nothing else (none: they are not known). ``thinking_method`` is for
    prompts that name none, ``sandbox`` what all sheets are kept from.
    """

    prompts: PromptLimits = UNBOUNDED
    supply: Supply | None = None
    keepers: Keepers | None = None
    staged: tuple[str, ...] = ()
    batch: tuple[str, ...] | None = None
    executors: tuple[str, ...] = ()
    thinking_method: str | None = None
    sandbox: Mapping[str, Any] | None = None


UNSET = ScoreSettings()
"""Of no conductor: what is read is asked nothing but whether it is a score."""

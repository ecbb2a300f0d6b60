"""Whether always the same pattern is used, and how much to explore then. Pure.

The diversity is Shannon's entropy of the use counts, as a share of the most that it can be. When it
falls below the threshold, the exploration budget (the share of decisions that explore) is raised by
a step, up to a ceiling; while it does not, the budget goes back to what the configuration says,
which is never below the floor.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

FLOOR, CEILING = 0.05, 0.5
RAISE = 0.1
DECAY = 0.9
FEWEST_USES = 10
"""Uses below which nothing is concluded."""


def entropy(uses: Sequence[int]) -> float:
    """The diversity of use, 0 (always one) to 1 (all alike); 0 when there is no choice or no use.

    ``uses`` has a count for each pattern that can be used, unused ones too.
    """
    total = sum(uses)
    if total == 0 or len(uses) < 2:
        return 0.0
    shares = [count / total for count in uses if count]
    found = -sum(share * math.log2(share) for share in shares)
    return min(1.0, max(0.0, found / math.log2(len(uses))))


def has_collapsed(uses: Sequence[int], threshold: float) -> bool:
    """Whether the diversity of at least ten uses is below ``threshold``."""
    return len(uses) > 1 and sum(uses) >= FEWEST_USES and entropy(uses) < threshold


def next_budget(budget: float, configured: float, collapsed: bool) -> float:
    """The exploration budget after a check."""
    if collapsed:
        return min(CEILING, budget + RAISE)
    least = min(CEILING, max(FLOOR, configured))
    return max(least, budget * DECAY)


def explores(decision: int, budget: float) -> bool:
    """Whether the n-th decision (from 0) explores: spread evenly, without chance."""
    return math.floor((decision + 1) * budget) > math.floor(decision * budget)

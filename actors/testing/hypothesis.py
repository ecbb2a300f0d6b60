"""Schedules as Hypothesis draws and shrinks them. Needs Hypothesis."""

from __future__ import annotations

from hypothesis import strategies as st

from actors.testing.policies import Preemptions


def schedules(max_switches: int = 30, max_gap: int = 60) -> st.SearchStrategy[Preemptions]:
    """Policies that let the running thread go on except at up to `max_switches` places.

    A failing one shrinks to the few switches that make it fail.
    """
    switch = st.tuples(st.integers(0, max_gap), st.integers(0, 7))
    return st.lists(switch, max_size=max_switches).map(Preemptions)

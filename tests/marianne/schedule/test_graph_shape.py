"""Cycles are found with their path and depths are longest chains, at any size."""

from collections.abc import Mapping
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from marianne.schedule.graph import dependents, depths, find_cycle

graphs = st.dictionaries(st.integers(1, 8), st.sets(st.integers(1, 8), max_size=4), max_size=8)


def test_a_cycle_is_told_as_a_path() -> None:
    assert find_cycle({1: {2}, 2: {3}, 3: {2}}) == [2, 3, 2]
    assert find_cycle({1: {1}}) == [1, 1]


def test_a_diamond_is_no_cycle() -> None:
    assert find_cycle({4: {2, 3}, 2: {1}, 3: {1}, 1: set()}) is None


@settings(deadline=None)
@given(graphs)
def test_a_path_is_a_real_cycle_and_its_absence_means_depths_exist(
    graph: Mapping[int, set[int]],
) -> None:
    cycle = find_cycle(graph)
    if cycle is None:
        found = depths(graph)
        for num, needs in graph.items():
            inner = [found[n] + 1 for n in needs if n in graph]
            assert found[num] == max(inner, default=0)
    else:
        assert cycle[0] == cycle[-1]
        assert all(need in graph[num] for num, need in pairwise(cycle))
        with pytest.raises(ValueError, match="circular dependency"):
            depths(graph)


def test_dependents_are_the_reverse() -> None:
    assert dependents({3: [1, 2], 2: [1]}) == {1: [3, 2], 2: [3]}


@pytest.mark.slow
def test_a_chain_of_a_hundred_thousand_needs_no_recursion() -> None:
    chain: dict[int, set[int]] = {n: {n - 1} for n in range(2, 100_001)}
    assert find_cycle(chain) is None
    chain[1] = set()
    assert depths(chain)[100_000] == 99_999
    chain[1] = {100_000}
    cycle = find_cycle(chain)
    assert cycle is not None
    assert len(cycle) == 100_001

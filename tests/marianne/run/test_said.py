"""What a worker may say."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from marianne.executors.protocol import Hello
from marianne.model.result import AttemptResult
from marianne.run.acceptable import UnacceptableError, check
from marianne.run.said import said

RESULT = AttemptResult(1, 1, "completed", 1.0, 2.0, serial=1).to_map()
HELLO: dict[str, Any] = {
    "kind": "hello",
    "running": [[1, 1]],
    "queued": [],
    "ended": [[2, 1]],
    "unacked": [RESULT],
    "round": 3,
    "held": True,
}


def test_what_workers_say_is_understood_and_what_else_they_add_is_left_out() -> None:
    assert said(HELLO | {"pid": 1, "new": "x"}) == HELLO
    results = {"kind": "results", "results": [RESULT], "started": [[1, 1, 4711, 12.5]]}
    assert said(results) == {**results, "started": [[1, 1, 12.5, []]]}, "no process is known above"
    results["started"] = [[1, 1, 4711, 12.5, ["write", "network"]]]
    assert said(results)["started"] == [[1, 1, 12.5, ["write", "network"]]]
    assert said({"kind": "withdrawn", "sheets": [[1, 2]]})["sheets"] == [[1, 2]]
    assert said({"kind": "bye"}) == {"kind": "bye"}


def test_all_that_the_conductor_is_told_of_a_job_comes_in() -> None:
    """A word that is left out is as good as never said: one that stands still was not let go on."""
    assert set(Hello.__annotations__) <= set(said(HELLO))


WRONG: list[Any] = [
    None,
    [],
    {},
    {"kind": "run"},
    {"kind": ["hello"]},
    {"kind": "hello"},
    HELLO | {"running": [[0, 1]]},
    HELLO | {"running": [[1, "x"]]},
    HELLO | {"round": -1},
    HELLO | {"unacked": {}},
    HELLO | {"unacked": [{}]},
    {"kind": "results", "results": []},
    {"kind": "results", "results": [], "started": [[1, 1, 4711, float("nan")]]},
    {"kind": "results", "results": [], "started": [[1, 1, 4711, 1e300]]},
    {"kind": "results", "results": [], "started": [[1, 1, 4711, 12.5, "write"]]},
    {"kind": "results", "results": [], "started": [[1, 1, 4711, 12.5, [], []]]},
    {"kind": "withdrawn", "sheets": [1]},
]


@pytest.mark.parametrize("message", WRONG, ids=lambda message: repr(message)[:50])
def test_what_makes_no_sense_is_refused(message: Any) -> None:
    with pytest.raises(UnacceptableError):
        said(message)


def test_a_result_that_cannot_be_kept_is_a_failed_one() -> None:
    bad = {**RESULT, "usage": {"cost_usd": float("inf")}}
    (found,) = said({"kind": "results", "results": [bad], "started": []})["results"]
    check(found)
    assert found["outcome"] == "failed"


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers(), inner),
    max_leaves=8,
)
FIELDS = ("kind", "running", "queued", "ended", "unacked", "round", "results", "started", "sheets")


@pytest.mark.slow
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(st.sampled_from(FIELDS), ANYTHING), st.sampled_from((HELLO, {}, RESULT)))
def test_whatever_is_said_is_understood_or_refused(
    changed: dict[str, Any], base: dict[str, Any]
) -> None:
    try:
        found = said(base | changed)
    except UnacceptableError:
        return
    for result in found.get("results", found.get("unacked", ())):
        AttemptResult.from_map(result)

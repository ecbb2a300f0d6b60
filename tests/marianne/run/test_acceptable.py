"""What may stand in a result."""

from __future__ import annotations

import math
import sqlite3
from typing import Any

import msgpack
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from marianne.model.result import AttemptResult, ValidationOutcome
from marianne.run.acceptable import (
    CHECKS,
    TEXT_CHARS,
    UnacceptableError,
    acceptable,
    check,
    text,
    tidy,
)
from marianne.state.rows import attempt_values

GOOD = AttemptResult(
    3,
    2,
    "failed",
    1000.0,
    1001.5,
    serial=7,
    exit_code=1,
    category="exit",
    message="Exit code 1",
    validations=(ValidationOutcome("file_exists", False, "no file"),),
    left_running=(77,),
    usage={"cost_usd": 0.1, "input_tokens": 3, "model": "x"},
).to_map()

WRONG: list[tuple[str, Any]] = [
    ("usage", {"cost_usd": math.nan}),
    ("usage", {"cost_usd": math.inf}),
    ("usage", {"input_tokens": 10**30}),
    ("usage", {"input_tokens": [1]}),
    ("usage", {"\ud800": 1}),
    ("message", "\ud800"),
    ("message", "x" * 10_000_000),
    ("outcome", "won"),
    ("started_at", math.nan),
    ("finished_at", 1e300),
    ("finished_at", -1.0),
    ("exit_code", 2**70),
    ("exit_code", True),
    ("retry_after", -5.0),
    ("peak_memory_mb", math.nan),
    ("validations", [{"type": "x"}]),
    ("validations", 3),
    ("left_running", ["1"]),
]


def test_a_good_result_is_taken_as_it_is() -> None:
    assert acceptable(GOOD) is GOOD
    assert set(CHECKS) == set(GOOD)


@pytest.mark.parametrize(("name", "value"), WRONG, ids=lambda value: repr(value)[:30])
def test_a_result_with_a_value_that_nobody_could_keep_is_a_failed_one(
    name: str, value: Any
) -> None:
    bad = {**GOOD, name: value}
    if name in ("started_at", "finished_at"):
        with pytest.raises(UnacceptableError, match=name):
            acceptable(bad)
        return
    found = acceptable(bad)
    check(found)
    assert (found["outcome"], found["category"]) == ("failed", "internal")
    assert name in found["message"]
    assert (found["num"], found["attempt"], found["serial"]) == (3, 2, 7)


@pytest.mark.parametrize("name", ["num", "attempt", "serial"])
@pytest.mark.parametrize("value", [0, -1, "1", None, 2**70, 1.0])
def test_what_names_no_attempt_is_no_result(name: str, value: Any) -> None:
    if name == "serial" and value == 0:
        return
    with pytest.raises(UnacceptableError, match=name):
        acceptable({**GOOD, name: value})


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.dictionaries(
        st.sampled_from(sorted(CHECKS)),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
            lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
            max_leaves=5,
        ),
    )
)
def test_what_is_accepted_can_be_packed_and_stored(changed: dict[str, Any]) -> None:
    try:
        found = acceptable({**GOOD, **changed})
    except UnacceptableError:
        return
    packed = msgpack.unpackb(msgpack.packb(found), strict_map_key=False)
    values = attempt_values(AttemptResult.from_map(packed))
    with sqlite3.connect(":memory:") as database:
        database.execute("SELECT " + ",".join("?" * len(values)), values)
    database.close()


@pytest.mark.parametrize("value", [None, "fine", "\udcff.txt", "x" * 200_000, "\ud800" * 70_000])
def test_any_text_can_be_made_acceptable(value: str | None) -> None:
    found = tidy(value)
    assert found == value or text(found)
    assert found == value or value not in (None, "fine")
    assert len(found or "") <= TEXT_CHARS

"""What a client sends is checked once, where it comes in: nothing else gets past the handlers."""

from __future__ import annotations

import math
from typing import Any

import pytest

from marianne.daemon.api import handlers
from marianne.daemon.shared.idempotency import RequestId, hash_of
from marianne.daemon.shared.refusal import Refused

POISONS = [
    *(2**64 - 1, 2**63, -(2**63), -1.5, math.nan, math.inf, -math.inf, 1e308),
    *("x\0", "\0", "x" * 1_000_000, "", b"x\0", [], {}, ["x\0"], [2**63], [math.nan], None, True),
    *(
        {"a\0": "b"},
        {"a": "b\0"},
        {"a=b": "c"},
        {"": "c"},
        {"A": "x" * 200_000},
        {1: 2},
        [[1, 2**40]],
    ),
]

VALID: dict[str, dict[str, Any]] = {
    "job.modify": {"config_path": "a.yaml"},
    "job.submit": {"config_path": "a.yaml"},
    "schedule.add": {"config_path": "a.yaml", "cron": "* * * * *"},
}


def _fits(value: Any) -> bool:
    """What the inside relies upon: 64 bits, finite, no NUL."""
    if isinstance(value, bool) or value is None:
        return True
    if isinstance(value, int):
        return -(2**63) <= value < 2**63
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, bytes):
        return b"\0" not in value
    if isinstance(value, dict):
        return all(_fits(key) and _fits(item) for key, item in value.items())
    if isinstance(value, (list, tuple)):
        return all(map(_fits, value))
    return "\0" not in str(value)


@pytest.mark.parametrize("method", [m for m in handlers.METHODS if handlers.find(m).Params])
def test_no_parameter_of_any_method_passes_what_the_inside_cannot_keep(method: str) -> None:
    handler = handlers.find(method)
    fields = handler.Params.model_fields
    base = {"job_id": "a", "name": "a", **VALID.get(method, {})}
    base = {name: value for name, value in base.items() if name in fields}
    for field in fields:
        for poison in POISONS:
            try:
                params = handlers.validate(handler, {**base, field: poison})
            except Refused:
                continue
            assert _fits(params.model_dump()), (field, poison)


def test_what_no_field_bounds_has_a_reason() -> None:
    """Every text and number of every method has a bound of its own type, not of its handler."""
    for method in handlers.METHODS:
        model = handlers.find(method).Params
        for name, field in (model.model_fields if model else {}).items():
            plain = str(field.annotation).replace("NoneType", "")
            bare = plain in ("<class 'float'>", "<class 'pathlib.Path'>")
            assert field.metadata or not bare, (method, name)


def test_a_hash_tells_questions_apart_and_forgets_the_order_of_keys() -> None:
    one = hash_of("job.submit", {"a": 1, "b": {"x": [1, {"p": 1, "q": 2}], b"y": 2}})
    assert one == hash_of("job.submit", {"b": {b"y": 2, "x": [1, {"q": 2, "p": 1}]}, "a": 1})
    assert one != hash_of("job.modify", {"a": 1, "b": {"x": [1, {"p": 1, "q": 2}], b"y": 2}})
    assert one != hash_of("job.submit", {"a": 1, "b": {"x": [1, {"p": 1, "q": 3}], b"y": 2}})
    assert hash_of("x", {"a": math.nan}) == hash_of("x", {"a": float("nan")})


def test_what_is_nested_too_deeply_is_refused() -> None:
    deep: Any = 1
    for _ in range(1_000):
        deep = [deep]
    with pytest.raises(Refused) as refusal:
        hash_of("job.submit", {"a": deep})
    assert refusal.value.code == "invalid_params"


def test_a_part_of_a_request_keeps_what_was_asked() -> None:
    part = RequestId("r", b"hash").part("job")
    assert (part, part.asked) == ("r/job", b"hash")


def test_a_retry_of_no_sheets_at_all_is_a_mistake_and_not_a_job_that_ends_once_more() -> None:
    handler = handlers.find("job.retry")
    with pytest.raises(Refused, match="sheets") as refused:
        handlers.validate(handler, {"job_id": "a", "sheets": []})
    assert refused.value.code == "invalid_params"
    handlers.validate(handler, {"job_id": "a", "sheets": None})

"""No number of a score or a profile is larger than what is reckoned with it can take."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

import annotated_types
import pytest
from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from marianne.instruments.profile import Profile
from marianne.score.models import Notification
from marianne.score.models_reference import ReferenceScore
from marianne.score.models_short import ShortScore


def _numbers(model: type[BaseModel], seen: set[type]) -> Iterator[tuple[str, FieldInfo]]:
    """Every field of a model, and of the models in it, that takes a number."""
    if model in seen:
        return
    seen.add(model)
    for name, field in model.model_fields.items():
        yield f"{model.__name__}.{name}", field
        for inner in _models(field.annotation):
            yield from _numbers(inner, seen)


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in getattr(annotation, "__args__", ()):
        yield from _models(part)


def _takes(field: FieldInfo, value: Any) -> bool:
    annotated: Any = field.annotation
    for part in field.metadata:
        if isinstance(part, annotated_types.BaseMetadata) or hasattr(part, "func"):
            annotated = Annotated[annotated, part]
    try:
        found = TypeAdapter(annotated).validate_python(value)
    except (ValidationError, TypeError):
        return False
    return type(found) in (int, float)


@pytest.mark.parametrize("model", [ShortScore, ReferenceScore, Profile])
def test_every_number_is_bounded(model: type[BaseModel]) -> None:
    unbounded = [
        name
        for name, field in _numbers(model, set())
        for value in (2**63 - 1, 1.7e308, float("inf"), float("nan"), -1.7e308)
        if _takes(field, value)
    ]
    assert unbounded == []


@pytest.mark.parametrize(
    ("given", "kept"),
    [("2m", 120.0), (5, 5.0), ("soon", None), (0, None), ([1], None), (True, None)],
)
def test_the_time_limit_of_a_notice_is_one(given: object, kept: float | None) -> None:
    config = {"command": "true", "timeout_seconds": given}
    if kept is not None:
        told = Notification.model_validate({"type": "command", "config": config})
        assert told.config["timeout_seconds"] == kept
        return
    with pytest.raises(ValidationError, match="timeout_seconds must be more than 0"):
        Notification.model_validate({"type": "command", "config": config})

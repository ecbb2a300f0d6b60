"""A wrong spec is refused where it is made, by one error that names the field."""

from __future__ import annotations

import math
from typing import Any

import pytest

from actors import (
    Actor,
    Backoff,
    ChildError,
    ChildSpec,
    DynamicSupervisor,
    SpecError,
    StartError,
    Supervisor,
    System,
)


class Unshowable:
    def __repr__(self) -> str:
        raise ValueError("no text")

    __str__ = __repr__


WRONG: list[tuple[str, dict[str, Any]]] = [
    ("id", {"id": ""}),
    ("id", {"id": 5}),
    ("id", {"id": Unshowable()}),
    ("cls", {"cls": int}),
    ("cls", {"cls": "Actor"}),
    ("cls", {"cls": Unshowable()}),
    ("args", {"args": [1]}),
    ("args", {"args": Unshowable()}),
    ("kwargs", {"kwargs": [1]}),
    ("kwargs", {"kwargs": {1: 2}}),
    ("restart", {"restart": "sometimes"}),
    ("restart", {"restart": []}),
    ("shutdown", {"shutdown": math.nan}),
    ("shutdown", {"shutdown": "5"}),
    ("shutdown", {"shutdown": -0.5}),
    ("shutdown", {"shutdown": None}),
    ("type", {"type": "boss"}),
    ("type", {"type": []}),
    ("significant", {"significant": 1}),
    ("backoff", {"backoff": 1.0}),
    ("start_timeout", {"start_timeout": "5"}),
    ("start_timeout", {"start_timeout": math.nan}),
    ("start_timeout", {"start_timeout": -2}),
    ("name", {"name": []}),
    ("name", {"name": 5}),
]


@pytest.mark.parametrize(("field", "wrong"), WRONG)
def test_each_wrong_field_of_a_spec_is_named(field: str, wrong: dict[str, Any]) -> None:
    with pytest.raises(SpecError, match=field):
        ChildSpec(**({"id": "a", "cls": Actor} | wrong))


@pytest.mark.parametrize(
    "wrong",
    [
        {"min": 0},
        {"min": "1"},
        {"min": math.nan},
        {"max": math.nan},
        {"max": math.inf},
        {"min": 2, "max": 1},
        {"jitter": None},
        {"jitter": 2},
        {"reset_after": "1"},
        {"reset_after": math.nan},
    ],
)
def test_each_wrong_field_of_a_backoff_is_named(wrong: dict[str, Any]) -> None:
    with pytest.raises(SpecError, match=f"backoff: .*{next(iter(wrong))}"):
        Backoff(**wrong)


@pytest.mark.parametrize(
    ("cls", "field", "wrong"),
    [
        (Supervisor, "strategy", {"strategy": []}),
        (Supervisor, "intensity", {"intensity": "1"}),
        (Supervisor, "period", {"period": "5"}),
        (Supervisor, "period", {"period": math.nan}),
        (Supervisor, "auto_shutdown", {"auto_shutdown": []}),
        (Supervisor, "children", {"children": 5}),
        (Supervisor, "ChildSpec", {"children": [Unshowable()]}),
        (DynamicSupervisor, "max_children", {"max_children": Unshowable()}),
        (DynamicSupervisor, "extra_args", {"extra_args": 5}),
    ],
)
def test_each_wrong_option_of_a_supervisor_is_named(
    system: System, cls: type[Any], field: str, wrong: dict[str, Any]
) -> None:
    options = {"strategy": "one_for_one"} | wrong if cls is Supervisor else wrong
    with pytest.raises(StartError) as failed:
        system.spawn(cls, **options)
    assert isinstance(failed.value.reason.error, SpecError)
    assert field in str(failed.value)


def test_wrong_requests_harm_no_supervisor(system: System) -> None:
    static = system.spawn(Supervisor, "one_for_one", [ChildSpec("a", Actor)], name="static")
    dynamic = system.spawn(DynamicSupervisor, name="dynamic")
    for wrong in (5, [], None, Unshowable(), {"id": "b"}):
        with pytest.raises(SpecError):
            static.ask(Supervisor.start_child, wrong)  # type: ignore[arg-type]
        with pytest.raises(SpecError):
            dynamic.ask(DynamicSupervisor.start_child, wrong)  # type: ignore[arg-type]
        for request in (
            Supervisor.terminate_child,
            Supervisor.restart_child,
            Supervisor.delete_child,
            Supervisor.get_childspec,
        ):
            with pytest.raises(ChildError, match="not_found"):
                static.ask(request, wrong)  # type: ignore[arg-type]
        for of_dynamic in (DynamicSupervisor.terminate_child, DynamicSupervisor.get_childspec):
            with pytest.raises(ChildError, match="not_found"):
                dynamic.ask(of_dynamic, wrong)  # type: ignore[arg-type]
    assert static.alive
    assert dynamic.alive


@pytest.mark.parametrize(
    ("what", "wrong"),
    [
        ("cls", {"cls": int}),
        ("name", {"name": []}),
        ("start_timeout", {"start_timeout": "5"}),
        ("start_timeout", {"start_timeout": math.nan}),
    ],
)
def test_a_wrong_spawn_is_refused_and_leaves_nothing(
    system: System, what: str, wrong: dict[str, Any]
) -> None:
    with pytest.raises((SpecError, TypeError), match=what):
        system.spawn(wrong.get("cls", Actor), **{k: v for k, v in wrong.items() if k != "cls"})
    assert system.tree() == []
    assert system.registry.names() == []


@pytest.mark.parametrize(
    ("field", "wrong"), [("mailbox_limit", "5"), ("mailbox_policy", "lose"), ("mailbox_high", [])]
)
def test_each_wrong_setting_of_an_actor_class_is_named(field: str, wrong: object) -> None:
    with pytest.raises(SpecError, match=field):
        type("Odd", (Actor,), {field: wrong})

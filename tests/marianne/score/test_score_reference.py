"""The reference's form: items, stages, fan-out, movements."""

from __future__ import annotations

import pytest
from scorekit import load, needs, problems, reference


def test_without_dependencies_sheets_are_a_chain() -> None:
    assert needs(load(reference("{size: 1, total_items: 3}"))) == [(), (1,), (2,)]


def test_with_some_dependencies_a_sheet_without_any_stands_alone() -> None:
    plan = load(reference("{size: 1, total_items: 3, dependencies: {3: [1]}}"))
    assert needs(plan) == [(), (), (1,)]


def test_items_are_dealt_out_by_size() -> None:
    plan = load(reference("{size: 5, total_items: 12, start_item: 2}"))
    assert [(s.start_item, s.end_item) for s in plan.sheets] == [(2, 6), (7, 11), (12, 12)]


@pytest.mark.parametrize(
    ("fan_out", "expected"),
    [
        ("{}", [(), (1,)]),
        ("{2: 3}", [(), (1,), (1,), (1,)]),
        ("{1: 3}", [(), (), (), (1, 2, 3)]),
        ("{1: 2, 2: 2}", [(), (), (1,), (2,)]),
        ("{1: 2, 2: 3}", [(), (), (1, 2), (1, 2), (1, 2)]),
    ],
    ids=["1-1", "1-N", "N-1", "N-N", "N-M"],
)
def test_fan_out_has_five_edge_rules(fan_out: str, expected: list[tuple[int, ...]]) -> None:
    sheet = f"{{size: 1, total_items: 2, dependencies: {{2: [1]}}, fan_out: {fan_out}}}"
    assert needs(load(reference(sheet))) == expected


def test_instances_of_a_stage_work_on_its_item() -> None:
    plan = load(reference("{size: 1, total_items: 2, fan_out: {1: 2}}"))
    got = [(s.stage, s.instance, s.fan_count, s.start_item, s.name) for s in plan.sheets]
    assert got == [
        (1, 1, 2, 1, "stage-1-1"),
        (1, 2, 2, 1, "stage-1-2"),
        (2, 1, 1, 2, "stage-2"),
    ]


def test_rules_reach_the_sheets_whose_condition_they_meet() -> None:
    plan = load(
        reference(
            "{size: 1, total_items: 2, fan_out: {2: 2}}",
            """
            validations:
              - {type: file_exists, path: a, condition: stage == 1}
              - {type: file_exists, path: b, condition: stage >= 2 and instance == 2}
              - {type: file_exists, path: c, sheet: 2, stage: 2}
              - {type: file_exists, path: d}
            """,
        )
    )
    paths = [[rule.path for rule in sheet.validations] for sheet in plan.sheets]
    assert paths == [["a", "d"], ["d", "c"], ["b", "d"]]


def test_settings_win_in_the_documented_order() -> None:
    plan = load(
        reference(
            "{size: 1, total_items: 4, per_sheet_instruments: {4: shell},"
            " instrument_map: {quick: [3, 4]}, per_sheet_instrument_config: {3: {model: top}}}",
            """
            instrument_config: {timeout_seconds: 10, model: low}
            instruments: {quick: {profile: shell, config: {timeout_seconds: 30, model: mid}}}
            movements:
              2: {instrument: shell, instrument_config: {timeout_seconds: 20}}
              3: {instrument: cli}
            """,
        )
    )
    got = [(s.instrument.profile, s.instrument.model, s.timeout_seconds) for s in plan.sheets]
    assert got == [
        ("cli", "low", 10),
        ("shell", "low", 20),
        ("shell", "top", 30),
        ("shell", "low", 10),
    ]


def test_a_dependency_cycle_is_named() -> None:
    text = reference("{size: 1, total_items: 3, dependencies: {1: [3], 2: [1], 3: [2]}}")
    assert "circular dependency: 1 -> 3 -> 2 -> 1" in problems(text)[0]


def test_two_billion_items_are_refused_at_once() -> None:
    found = problems(reference("{size: 1, total_items: 2000000000}"))
    assert "would make 2,000,000,000 sheets; at most 100,000 are allowed" in found[0]


def test_retries_and_timeout_have_the_documented_defaults() -> None:
    sheet = load(reference("{size: 1, total_items: 1}")).sheets[0]
    assert (sheet.retry.max_retries, sheet.timeout_seconds) == (3, 1800)

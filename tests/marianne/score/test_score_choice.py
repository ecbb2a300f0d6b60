"""Which sheets a person asks for, by number, name, entry and range."""

from __future__ import annotations

import pytest

from marianne.model.errors import ScoreError
from marianne.model.plan import Instrument, Prompt, SheetPlan
from marianne.score.choice import left_out

SHELL, TEXT = Instrument("shell"), Prompt("true")


def sheets() -> list[SheetPlan]:
    """fetch (1), convert three times (2 to 4), a sheet called 6-7 (5), report (6)."""
    return [
        SheetPlan(1, "fetch", 1, SHELL, TEXT),
        *(
            SheetPlan(n + 1, f"convert-{n}", 2, SHELL, TEXT, instance=n, fan_count=3)
            for n in (1, 2, 3)
        ),
        SheetPlan(5, "6-7", 3, SHELL, TEXT),
        SheetPlan(6, "report", 4, SHELL, TEXT),
    ]


def runs(*only: str, start: str | None = None, until: str | None = None) -> list[int]:
    out = left_out(sheets(), only, start, until)
    skipped = {num for low, high in out for num in range(low, high + 1)}
    return [num for num in range(1, 7) if num not in skipped]


@pytest.mark.parametrize(
    ("only", "found"),
    [
        (["fetch"], [1]),
        (["convert"], [2, 3, 4]),
        (["convert-2"], [3]),
        (["2-4"], [2, 3, 4]),
        (["6-7"], [5]),
        (["report", "1"], [1, 6]),
        (["convert", "3-5"], [2, 3, 4, 5]),
    ],
)
def test_a_word_is_a_name_an_entry_a_number_or_a_range(only: list[str], found: list[int]) -> None:
    assert runs(*only) == found


def test_from_and_until_go_by_the_order_of_the_sheets() -> None:
    assert runs(start="convert") == [2, 3, 4, 5, 6]
    assert runs(until="convert") == [1, 2, 3, 4]
    assert runs(start="convert-3", until="6-7") == [4, 5]
    assert runs("fetch", "report", start="2") == [6]
    assert runs() == [1, 2, 3, 4, 5, 6]


def test_instances_that_are_named_by_their_values_have_the_name_of_their_entry() -> None:
    made = [
        SheetPlan(n, f"test[{value}]", 1, SHELL, TEXT, instance=n, fan_count=2)
        for n, value in enumerate(("3.11-linux", "3.12-linux"), 1)
    ]
    made.append(SheetPlan(3, "publish", 2, SHELL, TEXT))
    assert left_out(made, ["test"]) == [(3, 3)]
    assert left_out(made, ["test[3.12-linux]"]) == [(1, 1), (3, 3)]


def test_what_is_left_out_is_told_in_ranges() -> None:
    assert left_out(sheets(), ["convert-2"]) == [(1, 2), (4, 6)]


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"only": ["convrt"]}, "--only:1:1: no sheet is called 'convrt'; did you mean 'convert'?"),
        ({"only": ["fetch[a.csv]"]}, "'fetch' makes is not known before it runs; ask for 'fetch'"),
        ({"only": ["x"]}, "its sheets are convert, fetch, convert-1"),
        ({"only": ["7"]}, "--only:1:1: there is no sheet 7: the score has 6"),
        ({"only": ["4-2"]}, "there is no sheet 4-2"),
        ({"start": "0"}, "--from:1:1: no sheet is called '0'"),
        ({"until": "nothing"}, "--until:1:1: no sheet is called 'nothing'"),
        ({"start": "report", "until": "fetch"}, "--until:1:1: no sheet is left to run"),
        ({"only": ["fetch"], "start": "2"}, "--only:1:1: no sheet is left to run"),
    ],
)
def test_what_is_no_sheet_is_told_by_the_option(asked: dict[str, object], told: str) -> None:
    with pytest.raises(ScoreError) as refused:
        left_out(sheets(), **asked)  # type: ignore[arg-type]
    assert told in refused.value.render()

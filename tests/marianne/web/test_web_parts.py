"""What pages are made of: kept events, what differs, layers of entries."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marianne.web import watch
from marianne.web.hub import Hub, message
from marianne.web.layout import drawn, layers_of, ordered
from marianne.web.watch import Part, differing

LETTERS = st.text("prwcfsx", max_size=700).map(str.encode)


def event(seq: int, job: str | None = "a") -> dict[str, Any]:
    return {"seq": seq, "job_id": job, "event": "sheet.started", "data": {}}


def numbers(told: bytes | None) -> list[int]:
    assert told is not None
    lines = told.decode().splitlines()
    found = [json.loads(line[6:])["seq"] for line in lines if line.startswith("data: ")]
    assert found == [int(line[4:]) for line in lines if line.startswith("id: ")]
    return found


# -- events --------------------------------------------------------------------------------------


def test_a_page_gets_what_came_after_what_it_has_of_its_job_or_of_all() -> None:
    hub = Hub()
    hub.begin(10)
    hub.add([event(11), event(12, "b"), event(13, None), event(14)])
    assert numbers(hub.after(10, None)) == [11, 12, 13, 14]
    assert numbers(hub.after(11, "a")) == [14]
    assert numbers(hub.after(14, None)) == []
    hub.add([event(14), event(15)])
    assert numbers(hub.after(13, None)) == [14, 15]


def test_what_is_not_kept_any_more_has_to_be_asked_for() -> None:
    hub = Hub(kept=2)
    hub.begin(10)
    assert hub.after(9, None) is None
    hub.add(event(seq) for seq in range(11, 15))
    assert hub.after(11, None) is None
    assert numbers(hub.after(12, None)) == [13, 14]


def test_a_message_is_one_whatever_is_in_its_text() -> None:
    told = message("log", {"text": "a\n\ndata: b\r\u2028"}, 7)
    assert told.endswith(b"\n\n")
    assert told.count(b"\n") == 4
    assert told.isascii()


# -- what differs --------------------------------------------------------------------------------


@given(LETTERS, LETTERS)
def test_the_old_letters_with_what_differs_are_the_new_ones(old: bytes, new: bytes) -> None:
    runs = differing(old, new)
    if runs is None:
        assert len(old) > len(new)
        return
    found = bytearray(old.ljust(len(new), b"?"))
    for first, letters in runs:
        found[first : first + len(letters)] = letters.encode()
    assert bytes(found) == new


def test_few_changes_among_many_letters_are_told_in_few_bytes() -> None:
    old = b"p" * 100_000
    new = bytearray(old)
    new[70_000], new[70_003] = ord("r"), ord("c")
    assert differing(old, bytes(new)) == [(70_000, "rppc")]


def test_where_nearly_all_differ_all_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "MOST_RUNS", 2)
    assert differing(b"p" * 2_000, b"c" * 2_000) is None


def test_who_has_the_version_before_is_told_the_step_all_others_the_whole() -> None:
    part = Part("map")
    assert part.take(b"pp")
    assert part.whole == part.step == message("map", {"all": "pp"})
    assert not part.take(b"pp")
    assert part.take(b"pc")
    assert part.whole == message("map", {"all": "pc"})
    assert part.step == message("map", {"runs": [[1, "c"]]})
    assert part.version == 2


# -- layers --------------------------------------------------------------------------------------


def test_a_layer_is_the_longest_way_from_the_beginning() -> None:
    needs = {1: [], 2: [1], 3: [2, 1], 4: [1], 5: [3, 4, 99]}
    assert layers_of(needs) == [[1], [2, 4], [3], [5]]


def test_a_circle_is_drawn_too() -> None:
    layers = layers_of({1: [2], 2: [1], 3: [3, 2]})
    assert sorted(one for layer in layers for one in layer) == [1, 2, 3]


def test_lines_that_cross_are_put_in_order() -> None:
    needs: dict[int, list[int]] = {1: [], 2: [], 3: [2], 4: [1]}
    assert ordered(layers_of(needs), needs)[1] == [4, 3]


def test_a_long_chain_and_a_thousand_entries_are_laid_out() -> None:
    chain = {num: [num - 1] if num > 1 else [] for num in range(1, 5_001)}
    assert len(layers_of(dict(reversed(chain.items())))) == 5_000
    chance = random.Random(1)
    nodes = [
        {
            "entry": num,
            "needs": sorted({chance.randrange(1, num) for _ in range(3)} if num > 3 else []),
        }
        for num in range(1, 1_001)
    ]
    picture = drawn({"total": 1_000, "more": 0, "entries": nodes})
    assert len({(node["layer"], node["row"]) for node in picture["nodes"]}) == 1_000
    assert max(node["row"] for node in picture["nodes"]) == picture["rows"] - 1


def test_an_empty_plan_is_a_picture_of_nothing() -> None:
    told = drawn({"total": 0, "more": 0, "entries": []})
    assert (told["nodes"], told["layers"], told["rows"]) == ([], 0, 0)

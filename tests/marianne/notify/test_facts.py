"""What of the machine is told: each trouble once, and once that it is over."""

from __future__ import annotations

from marianne.notify.facts import (
    NODE,
    OVER,
    OVER_SECONDS,
    PRESSURE,
    PRESSURE_SECONDS,
    STORAGE,
    TROUBLE,
    Facts,
    Key,
)

DISK: dict[Key, str] = {(STORAGE, ""): "the disk is full"}


def told(facts: Facts, found: dict[Key, str], now: float) -> list[tuple[str, str, str]]:
    """What is told, and is on disk."""
    decided = facts.decide(found, now, 1_000.0 + now)
    for one in decided:
        facts.told(one)
    return [(one.event, one.kind, one.what) for one in decided]


def test_a_trouble_is_told_once_and_once_that_it_is_over() -> None:
    facts = Facts()
    assert told(facts, DISK, 0.0) == [(TROUBLE, STORAGE, "")]
    assert told(facts, DISK, 5.0) == []
    assert told(facts, {}, 10.0) == []
    assert told(facts, {}, 10.0 + OVER_SECONDS) == [(OVER, STORAGE, "")]
    assert told(facts, {}, 200.0) == []
    assert told(facts, DISK, 300.0) == [(TROUBLE, STORAGE, "")]


def test_one_that_comes_and_goes_is_one() -> None:
    facts = Facts()
    told(facts, DISK, 0.0)
    for now in range(10, 200, 20):
        assert told(facts, {}, now) == []
        assert told(facts, DISK, now + 10) == []


def test_pressure_is_told_when_it_has_lasted() -> None:
    facts, pressed = Facts(), {(PRESSURE, ""): "high"}
    assert told(facts, pressed, 0.0) == []
    assert told(facts, {}, PRESSURE_SECONDS - 1.0) == []
    assert told(facts, pressed, PRESSURE_SECONDS) == []
    assert told(facts, pressed, 2 * PRESSURE_SECONDS) == [(TROUBLE, PRESSURE, "")]


def test_what_was_not_kept_is_told_again_and_what_was_is_not() -> None:
    facts = Facts()
    first = facts.decide(DISK, 0.0, 1_000.0)
    assert facts.decide(DISK, 1.0, 1_001.0) != [], "the disk did not take it"
    kept = facts.packed(first)
    after = Facts(kept)
    assert told(after, DISK, 0.0) == []
    assert after.packed() == kept
    assert told(after, {}, 1.0) == []
    decided = after.decide({}, 1.0 + OVER_SECONDS, 0.0)
    assert [(one.event, one.since) for one in decided] == [(OVER, 1_000.0)]
    assert after.packed(decided) == []


def test_nodes_are_told_apart() -> None:
    facts = Facts()
    both = {(NODE, "a"): "silent", (NODE, "b"): "silent"}
    assert len(told(facts, both, 0.0)) == 2
    assert facts.open(NODE) == {"a": "silent", "b": "silent"}
    told(facts, {(NODE, "b"): "silent"}, 1.0)
    assert told(facts, {(NODE, "b"): "silent"}, 1.0 + OVER_SECONDS) == [(OVER, NODE, "a")]
    assert facts.decide({}, 0.0, 0.0) == []

"""A limit that a person lifted is known until its key is limited anew."""

from __future__ import annotations

import pytest

from marianne.schedule.lifts import Lifts, covers


@pytest.mark.parametrize(
    ("instrument", "key", "meant"),
    [
        (None, "claude/opus", True),
        ("claude", "claude", True),
        ("claude", "claude/opus", True),
        ("claude/opus", "claude/opus", True),
        ("claude/opus", "claude", False),
        ("claude", "claude-code", False),
    ],
)
def test_an_instrument_means_all_its_models_and_no_other(
    instrument: str | None, key: str, meant: bool
) -> None:
    assert covers(instrument, key) is meant


def test_what_was_limited_since_is_not_lifted() -> None:
    lifts = Lifts()
    assert not lifts.lifted("claude")
    lifts.limit("claude")
    lifts.lift("claude")
    assert lifts.lifted("claude")
    assert lifts.lifted("claude/opus")
    lifts.limit("claude")
    assert not lifts.lifted("claude")
    assert lifts.lifted("claude/opus")


def test_a_lift_of_one_instrument_leaves_the_others_limited() -> None:
    lifts = Lifts()
    lifts.lift(None)
    lifts.limit("claude")
    lifts.limit("codex")
    lifts.lift("codex")
    assert [lifts.lifted(key) for key in ("claude", "codex", "gemini")] == [False, True, True]

"""Reading results, usage and waits."""

from __future__ import annotations

import time
from typing import Any

import pytest

from marianne.instruments.output import parse_wait, read_output
from marianne.instruments.planned import from_profile
from marianne.instruments.profile import Profile
from marianne.model.plan import Instrument


def reader(costs: bool = False, **output: Any) -> Instrument:
    models = [{"name": "m", "cost_per_1k_input": 2, "cost_per_1k_output": 10}] if costs else []
    profile = Profile.model_validate(
        {
            "name": "a",
            "models": models,
            "cli": {"command": {"executable": "a"}, "output": output},
        }
    )
    return from_profile(profile, "m")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("Retry-After: 120", 120),
        ("please try again in 5m 20s", 320),
        ("try again in 1.5 hours", 5400),
        ("retry in 250ms", 0.25),
        ("resets in 2 days", 86_400),
        ("wait for 3 minutes and 5 seconds", 185),
        ("nothing of the kind 42", None),
        ("retry after lunch", None),
    ],
)
def test_waits_are_read_from_text(text: str, seconds: float | None) -> None:
    assert parse_wait(text) == seconds


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("usage limit reached|1767226200", 600),
        ("usage limit reached|1767225000", 300),
        ("your limit resets at 3pm", 3600),
        ("your limit resets at 2:10 p.m.", 600),
        ("try again at 13:00", 23 * 3600),
        ("try again at 99:00", None),
    ],
)
def test_times_of_reset_are_reckoned_from_now(
    text: str, seconds: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setenv("TZ", "Etc/GMT-14")
        time.tzset()
        found = parse_wait(text, now=1_767_225_600.0)  # 14:00 in that zone
    time.tzset()
    assert found == seconds


def test_tokens_become_a_cost_by_the_models_prices() -> None:
    made = reader(costs=True, format="json", result_path="r", input_tokens_path="i",
                  output_tokens_path="o")  # fmt: skip
    reading = read_output(made, '{"r": "x", "i": 500, "o": 100}')
    assert reading.usage == {"input_tokens": 500, "output_tokens": 100, "cost_usd": 2.0}


def test_output_that_is_not_of_the_format_is_taken_as_it_is() -> None:
    reading = read_output(reader(format="json", result_path="r"), "oops {not json")
    assert (reading.text, reading.structured) == ("oops {not json", False)
    reading = read_output(reader(format="jsonl"), "plain\nlines")
    assert (reading.text, reading.structured) == ("plain\nlines", False)


def test_deeply_nested_output_does_no_harm() -> None:
    deep = "[" * 100_000 + "]" * 100_000
    assert read_output(reader(format="json", result_path="r"), deep).structured is False
    assert read_output(reader(format="jsonl"), '{"a":' * 50_000).structured is False
    assert read_output(reader(format="json"), "[\n" * 500_000).structured is False


@pytest.mark.parametrize(
    "piece", ["retry after 1 ", "1", "wait ", "limit |", "reset at 1", " 1 s,"]
)
def test_waits_are_looked_for_in_time(piece: str) -> None:
    parse_wait(piece * (200_000 // len(piece)) + "!")


PATHS = {
    "result_path": "text",
    "error_path": "error",
    "input_tokens_path": "in",
    "output_tokens_path": "out",
    "cost_path": "cost",
}
UNUSABLE = [
    *("NaN", "Infinity", "-Infinity", "1e400", "-1e400", "-1", "9" * 30, "18446744073709551616"),
    *("true", '"12"', "[1]", '{"a": 1}', "-1000", "1e16", '"\\ud800"'),
]


@pytest.mark.parametrize("kind", ["json", "jsonl"])
@pytest.mark.parametrize("value", UNUSABLE)
@pytest.mark.parametrize("field", ["in", "cost"])
def test_a_number_that_cannot_be_one_is_ignored_and_the_rest_counts(
    kind: str, value: str, field: str
) -> None:
    values = {"in": "7", "out": "3", "cost": "0.5", field: value}
    told = ", ".join(f'"{name}": {text}' for name, text in values.items())
    reading = read_output(reader(format=kind, **PATHS), f'{{"text": "done", {told}}}\n')
    good = {"input_tokens": 7, "output_tokens": 3, "cost_usd": 0.5}
    del good["input_tokens" if field == "in" else "cost_usd"]
    assert (reading.text, reading.error, reading.usage) == ("done", None, good)
    assert "cannot be" in reading.ignored[0]


def test_half_a_token_is_none_and_sums_are_bounded_too() -> None:
    reading = read_output(reader(format="json", **PATHS), '{"text": "a", "in": 1.5, "out": 2.0}')
    assert reading.usage == {"output_tokens": 2.0}
    paths = {**PATHS, "cost_path": "*.cost", "aggregate_tokens": True}
    event = '{"a": {"cost": 9e14}, "b": {"cost": 9e14}}\n'
    assert read_output(reader(format="json", **paths), event).usage == {}
    event = '{"a": {"cost": 9e14}}\n'
    assert read_output(reader(format="jsonl", **paths), event * 2).usage == {}


@pytest.mark.parametrize("kind", ["json", "jsonl"])
@pytest.mark.parametrize(
    "value", ['"\\ud800"', '{"a": ["\\udfff"]}', '"ok \\ud83d\\ude00 \\ud83d"']
)
def test_half_a_character_is_replaced(kind: str, value: str) -> None:
    reading = read_output(reader(format=kind, **PATHS), f'{{"text": {value}, "error": {value}}}\n')
    assert reading.error
    (reading.text + reading.error).encode()


def test_what_is_nested_deeply_is_text_too() -> None:
    for depth in (500, 900, 990, 2_000, 100_000):
        said = '{"text": ' + "[" * depth + "]" * depth + "}"
        assert read_output(reader(format="json", **PATHS), said).text


@pytest.mark.parametrize("index", ["--1", "-", "²", "9" * 5_000, "1_0", "2"])
def test_a_path_with_no_place_in_a_list_finds_nothing(index: str) -> None:
    said = '{"r": ["a", "b"]}'
    made = reader(format="json", result_path=f"r.{index}")
    assert read_output(made, said).text == said, "the result is all of the output"
    assert read_output(reader(format="json", result_path="r.-1"), said).text == "b"

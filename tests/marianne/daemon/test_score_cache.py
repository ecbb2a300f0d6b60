"""A score that was read before counts only while nothing that its reading looked at has changed."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path

import pytest

from marianne.daemon.shared.parsed import Parsed, ParseRequest
from marianne.daemon.shared.score_cache import KEPT_BYTES, ScoreCache

PARSED = Parsed("n", "/w", 1, "", "text", b"plan", programs=[("/bin/true", True)])


@pytest.fixture
def request_(tmp_path: Path) -> ParseRequest:
    (tmp_path / "s.yaml").write_text("text")
    place = str(tmp_path)
    return ParseRequest(f"{place}/s.yaml", None, place, None, {}, f"{place}/instruments", "/bin")


@pytest.fixture
def cache(request_: ParseRequest) -> ScoreCache:
    cache = ScoreCache()
    cache.keep(cache.key(request_), PARSED)
    return cache


def test_the_same_score_is_found_again(cache: ScoreCache, request_: ParseRequest) -> None:
    assert cache.find(cache.key(request_), "/bin") == PARSED


def test_a_changed_file_is_read_again(
    cache: ScoreCache, request_: ParseRequest, tmp_path: Path
) -> None:
    (tmp_path / "s.yaml").write_text("texT")
    assert cache.find(cache.key(request_), "/bin") is None


def test_a_changed_instrument_makes_it_read_again(
    cache: ScoreCache, request_: ParseRequest, tmp_path: Path
) -> None:
    (tmp_path / ".marianne" / "instruments").mkdir(parents=True)
    (tmp_path / ".marianne" / "instruments" / "own.yaml").write_text("")
    assert cache.find(cache.key(request_), "/bin") is None


def test_a_program_that_went_away_makes_it_read_again(request_: ParseRequest) -> None:
    cache = ScoreCache()
    cache.keep(cache.key(request_), replace(PARSED, programs=[("/no/such", True)]))
    assert cache.find(cache.key(request_), "/bin") is None


def test_what_was_read_again_is_found_from_then_on(request_: ParseRequest) -> None:
    """Else a score whose program was installed later would be read anew for ever."""
    cache = ScoreCache()
    key = cache.key(request_)
    cache.keep(key, replace(PARSED, programs=[("/no/such", True)]))
    assert cache.find(key, "/bin") is None
    again = replace(PARSED, programs=[("/no/such", False)])
    cache.keep(key, again)
    assert cache.find(key, "/bin") == again


def test_other_variables_are_another_score(cache: ScoreCache, request_: ParseRequest) -> None:
    assert cache.find(cache.key(replace(request_, variables={"a": "b"})), "/bin") is None


OTHER = {
    "path": "/no/such.yaml",
    "text": "other",
    "base_dir": "/",
    "workspace": "/w",
    "variables": {"a": "b"},
    "instruments": str(Path(__file__).parent),
    "search_path": "/usr/bin",
    "preview": True,
    "first": 2,
    "only": ("a",),
    "start": "a",
    "until": "b",
    "executor": "gpu",
}


def test_whatever_a_reading_was_asked_is_part_of_what_it_is_known_by(
    cache: ScoreCache, request_: ParseRequest
) -> None:
    """Else a job has the sheets that another one was to leave out."""
    assert set(OTHER) | {"settings"} == {field.name for field in fields(ParseRequest)}
    for name, value in OTHER.items():
        asked = replace(request_, **{name: value})  # type: ignore[arg-type]
        assert cache.find(cache.key(asked), "/bin") is None, name


def test_a_dry_run_and_what_is_no_regular_file_are_always_read(
    cache: ScoreCache, request_: ParseRequest
) -> None:
    assert cache.key(replace(request_, preview=True)) is None
    assert cache.key(replace(request_, path="/dev/zero")) is None


def test_what_is_kept_is_bounded(request_: ParseRequest) -> None:
    cache = ScoreCache()
    large = replace(PARSED, plan=b"x" * (KEPT_BYTES // 3))
    keys = [cache.key(replace(request_, text=f"score {number}")) for number in range(4)]
    for key in keys:
        cache.keep(key, large)
    assert [cache.find(key, "/bin") is not None for key in keys] == [False, False, True, True]

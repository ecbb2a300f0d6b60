"""``marianne logs``: which lines are shown, of which files, in which order."""

from __future__ import annotations

import itertools
import json
import time
from contextlib import closing
from pathlib import Path

import pytest

from marianne.cli.commands import logs
from marianne.cli.log_files import Tail, put_away, spoken


def line(event: str, second: int = 0, **fields: object) -> str:
    stamp = f"2026-11-24T08:45:{second:02d}.000000Z"
    return json.dumps({"event": event, "level": "info", **fields, "ts": stamp})


def write(path: Path, *lines: str) -> None:
    path.write_text("".join(f"{one}\n" for one in lines))


def events(out: str) -> list[str]:
    return [json.loads(one)["event"] for one in out.splitlines()]


def test_logs_are_shown_from_a_level_on(marianne, home) -> None:
    lines = [json.dumps({"event": word, "level": word}) for word in ("debug", "info", "error")]
    write(home.log, *lines, "no json")
    assert marianne("logs", "--json", "-l", "info").out.splitlines() == [*lines[1:], "no json"]


def test_of_those_that_are_chosen_the_last_are_shown(marianne, home) -> None:
    write(home.log, line("a", job_id="x"), line("b", job_id="x"), line("c", job_id="y"))
    assert events(marianne("logs", "--json", "--job", "x", "-n", "1").out) == ["b"]


def test_a_log_that_was_put_away_is_shown_with_those_before(marianne, home) -> None:
    write(home.log.with_name("conductor.log.2"), line("0"))
    write(home.log.with_name("conductor.log.1"), line("1"), line("2"))
    write(home.log, line("3"))
    assert events(marianne("logs", "--json", "-n", "4").out) == ["0", "1", "2", "3"]
    assert events(marianne("logs", "--json", "-n", "2").out) == ["2", "3"]
    assert events(marianne("logs", "--json", "-n", "0").out) == []


def test_since_a_time_all_is_shown_that_came_from_then_on(marianne, home) -> None:
    write(home.log.with_name("conductor.log.1"), line("0", 1), line("1", 2))
    write(home.log, *(line(str(number), number) for number in range(2, 59)))
    shown = events(marianne("logs", "--json", "--since", "2026-11-24T08:45:02+00:00").out)
    assert shown == ["1", *(str(number) for number in range(2, 59))]
    assert marianne("logs", "--json", "--since", "90m").out == ""
    assert "duration" in marianne("logs", "--since", "yesterday").err


def test_a_clock_time_without_a_date_is_the_last_one() -> None:
    ahead = time.localtime(time.time() + 120)
    found = logs.Since().convert(time.strftime("%H:%M:%S", ahead), None, None)
    assert found < time.time()
    assert found > time.time() - 25 * 3600 - 120


def test_the_hearts_words_stand_where_they_were_said(marianne, home) -> None:
    write(home.log, line("before", 1), line("after", 3))
    write(
        home.errors,
        "Traceback of a conductor",
        "2026-11-24T08:45:02.500000Z heart 7: the conductor died",
        "2026-11-24T08:45:04Z heart 7: gave up",
    )
    done = marianne("logs", "--json")
    assert events(done.out) == ["before", "the conductor died", "after", "gave up"]
    assert json.loads(done.out.splitlines()[1])["traceback"] == "Traceback of a conductor"
    assert "    Traceback of a conductor" in marianne("logs").out


def test_who_follows_a_log_misses_nothing_when_it_is_put_away(home, monkeypatch) -> None:
    """The writer is at work between the follower's look at the file and at its name."""
    write(home.log, "1")
    looked = Tail._replaced

    def meanwhile(tail: Tail) -> bool:
        path = tail._path
        if path == home.log and path.read_text() == "1\n":
            write(path, "1", "2")
            path.rename(path.with_name("conductor.log.1"))
            write(path, "3")
        return looked(tail)

    monkeypatch.setattr(Tail, "_replaced", meanwhile)
    with closing(logs._found(home, 9, lambda _: True, follow=True)) as lines:
        assert list(itertools.islice(lines, 3)) == ["1", "2", "3"]


def test_who_follows_sees_what_comes_in_both_files(home) -> None:
    write(home.log, line("a"))
    with closing(logs._found(home, 9, lambda _: True, follow=True)) as lines:
        assert json.loads(next(lines))["event"] == "a"
        write(home.errors, "2026-11-24T08:45:04Z heart 7: b")
        assert json.loads(next(lines))["event"] == "b"
        with home.log.open("a") as file:
            file.write(line("half")[:9])
            file.flush()
            file.write(line("half")[9:] + "\n")
        assert json.loads(next(lines))["event"] == "half"


def test_a_line_that_is_not_whole_waits_for_its_end(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with closing(Tail(path)) as tail:
        assert tail.new() == []
        path.write_text("one\ntw")
        assert tail.new() == ["one"]
        path.write_text("one\ntwo\n")
        assert tail.new() == ["two"]
        path.write_text("cut\n")  # by another program
        assert tail.new() == ["cut"]


def test_a_file_that_was_read_under_its_first_name_is_not_read_again(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_text("1\n")
    with closing(Tail(path)) as tail:
        assert tail.new() == ["1"]
        path.rename(tmp_path / "log.1")
        (tmp_path / "log.2").write_text("0\n")
        assert list(put_away(path, tail.read)) == [["0"]]


@pytest.mark.parametrize("words", ["plain words", "2026 heart 3: x"])
def test_what_has_no_stamp_is_told_with_the_next_that_has_one(words: str) -> None:
    assert list(spoken([words])) == []
    [told] = spoken([words, "2026-11-24T08:45:04Z heart 7: b"])
    assert json.loads(told)["traceback"] == words

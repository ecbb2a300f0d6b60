"""A command as a job: what bash makes of the words, when it begins, what is asked for."""

from __future__ import annotations

import subprocess
import sys
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from marianne.cli.beginning import moment
from marianne.cli.oneoff import argv_of, name_of, score_of, word

ACCEPTED = {"job_id": "echo", "status": "accepted", "message": "1 sheet in /w", "warnings": []}
PRINT = [sys.executable, "-c", "import os, sys; print(list(map(os.fsencode, sys.argv[1:])))"]
PARIS = ZoneInfo("Europe/Paris")
TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=8)


def script(argv: list[str]) -> str:
    score: dict[str, Any] = yaml.safe_load(score_of("x", argv, None, None))
    return str(score["sheets"][0]["run"])


@pytest.mark.parametrize(
    "words",
    [
        ["a b", "", "$HOME", "`date`", "it's", '"x"', "*", "~", "-n", "\\", "!"],
        ["{{ x }}", "{% raw %}", "{# c #}", "${#a[@]}", "{a,b}", "{"],
        ["two\nlines", "\t", "\x1b[31m", "\x7f", "\x85", "\u2028"],
        ["é", "日本", "😀", "\udcff\udcfe", "a\udc80{{"],
    ],
)
def test_a_program_gets_its_words_as_they_were_given(words: list[str]) -> None:
    made = script([*PRINT, *words])
    assert not any(mark in made for mark in ("{{", "{%", "{#"))
    done = subprocess.run(["bash", "-eu", "-c", made], capture_output=True, check=True)
    expected = [text.encode("utf-8", "surrogateescape") for text in words]
    assert done.stdout.decode().strip() == repr(expected)


@settings(max_examples=25, deadline=None)
@given(st.lists(TEXTS, min_size=1, max_size=4))
def test_so_does_it_any_words(words: list[str]) -> None:
    line = "printf '%s\\0' " + " ".join(map(word, words))
    done = subprocess.run(["bash", "-c", line], capture_output=True, check=True)
    assert done.stdout.decode() == "".join(text + "\0" for text in words)


def test_a_word_that_begins_with_a_dash_is_the_program() -> None:
    assert script(["-x", "y"]) == "exec -- -x y"


def test_one_word_alone_is_a_line_for_bash() -> None:
    assert argv_of(["sleep 1; echo done"]) == ["bash", "-c", "sleep 1; echo done"]
    assert argv_of(["sleep", "1"]) == ["sleep", "1"]
    assert [
        name_of(one) for one in (["/bin/sleep 5 | x"], ["./my tool", "a"], ["  "], ["%", "x"])
    ] == [
        "sleep",
        "my-tool",
        "job",
        "job",
    ]


def test_add_submits_a_score_of_one_sheet(marianne, conductor, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("KEPT", "yes")
    conductor.answers["job.submit"] = ACCEPTED
    told = marianne(
        *(
            "add",
            "-n",
            "mine",
            "--after",
            "a",
            "--after",
            "b:any",
            "--env",
            "K=v=1",
            "--timeout",
            "5m",
        ),
        *("--retries", "2", "--priority", "3", "--", "echo", "--json", "a b"),
    )
    assert (told.code, told.out) == (0, "echo: 1 sheet in /w\n")
    params = conductor.params("job.submit")
    assert yaml.safe_load(params["score"]) == {
        "name": "mine",
        "workspace": ".",
        "sheets": [
            {
                "name": "command",
                "run": "exec -- echo --json 'a b'",
                "timeout": 300.0,
                "retry": {"max_retries": 2},
            }
        ],
    }
    assert (params["after"], params["after_any"], params["at"]) == (["a"], ["b"], None)
    assert (params["client_cwd"], params["config_path"]) == (str(tmp_path), None)
    assert (params["environment"]["K"], params["environment"]["KEPT"]) == ("v=1", "yes")
    assert (params["priority"], params["shared"]) == (3, True)


def test_options_end_where_the_command_begins(marianne, conductor) -> None:
    conductor.answers["job.submit"] = ACCEPTED
    assert marianne("add", "ls", "-l", "--json").out == "echo: 1 sheet in /w\n"
    score = yaml.safe_load(conductor.params("job.submit")["score"])
    assert (score["name"], score["sheets"][0]["run"]) == ("ls", "exec -- ls -l --json")
    assert marianne("add").code == 2
    assert marianne("add", "--env", "K", "ls").code == 2


def test_local_begins_now(marianne, tmp_path) -> None:
    (tmp_path / "a.yaml").write_text("name: a\n")
    for options in (("--after", "x"), ("--at", "+1h")):
        assert marianne("run", "a.yaml", "--local", *options).code == 2


# -- times ---------------------------------------------------------------------------------------


def at(text: str, now: datetime) -> str | None:
    found = moment(text, now)
    return None if found is None else datetime.fromtimestamp(found, PARIS).isoformat()


def test_a_clock_time_is_the_next_one(monkeypatch: pytest.MonkeyPatch) -> None:
    now = datetime(2026, 11, 27, 18, 30, tzinfo=PARIS)
    monkeypatch.setenv("TZ", "Europe/Paris")
    import time

    time.tzset()
    try:
        assert at("22:15", now) == "2026-11-27T22:15:00+01:00"
        assert at("6:00", now) == "2026-11-28T06:00:00+01:00"
        assert at("18:30", now) == "2026-11-28T18:30:00+01:00"
        assert at("2026-12-01 06:00", now) == "2026-12-01T06:00:00+01:00"
        assert at("2026-12-01T06:00:00Z", now) == "2026-12-01T07:00:00+01:00"
        summer = datetime(2027, 3, 27, 23, 0, tzinfo=PARIS)
        assert at("12:00", summer) == "2027-03-28T12:00:00+02:00", "by the clock, over its change"
    finally:
        monkeypatch.undo()
        time.tzset()
    for text in ("25:00", "noon", "", "2026-13-01"):
        assert moment(text, now) is None


@pytest.mark.parametrize("text", ["noon", "25:00", "+", "+soon"])
def test_what_is_no_time_is_a_usage_error(marianne, text) -> None:
    told = marianne("add", "--at", text, "--", "ls", "x")
    assert told.code == 2

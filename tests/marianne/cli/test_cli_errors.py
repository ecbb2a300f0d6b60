"""Every error is one clear message, or one JSON object, and a code that a script can read."""

from __future__ import annotations

import pytest

from ipc.errors import CODES
from marianne.cli import exit_codes, main
from marianne.cli.errors import CliError


def test_every_error_code_of_the_protocol_has_an_exit_code() -> None:
    for code in CODES:
        assert code in exit_codes.BY_ERROR


def test_an_error_code_of_a_newer_conductor_is_a_failure() -> None:
    assert exit_codes.for_error("moon_phase") == exit_codes.FAILED


def test_in_a_directory_that_is_gone_the_error_says_so(marianne, tmp_path, monkeypatch) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    told = marianne("run", "score.yaml")
    assert told.code == 1
    assert told.err == ("error: the current directory is gone\nhint:  cd to one that exists\n")


@pytest.mark.parametrize("verb", ["status", "list", "tree", "health", "ready", "conductor-status"])
def test_without_a_conductor_a_question_exits_3_with_a_hint(marianne, verb: str) -> None:
    told = marianne(verb)
    assert (told.code, told.out) == (3, "")
    assert "marianne start" in told.err


def test_with_json_an_error_is_one_object_on_standard_output(marianne) -> None:
    told = marianne("list", "--json")
    assert told.code == 3
    assert told.json["error"]["code"] == "no_conductor"
    assert told.out.count("\n") == 1
    assert set(told.json["error"]) == {"code", "message", "hint"}
    assert told.err == ""


def test_a_usage_error_with_json_is_an_object_too(marianne) -> None:
    told = marianne("list", "--json", "--limit", "many")
    assert told.code == 2
    assert told.json["error"]["code"] == "usage"


@pytest.mark.parametrize(
    "argv", [("list", "-j"), ("health", "-j"), ("events", "-fj"), ("list", "-j", "--limit", "many")]
)
def test_the_short_form_of_json_means_errors_too(marianne, argv: tuple[str, ...]) -> None:
    told = marianne(*argv)
    assert set(told.json["error"]) == {"code", "message", "hint"}
    assert told.err == ""


def test_what_looks_like_it_in_a_command_of_somebody_else_is_no_wish_for_json(marianne) -> None:
    for words in (("--json",), ("--", "-j"), ("-j",)):
        told = marianne("add", "--no-start", "jq", *words)
        assert (told.code, told.out) == (3, "")


def test_selecting_nothing_is_a_usage_error(marianne) -> None:
    told = marianne("cancel")
    assert told.code == 2
    assert "--all" in told.err


def _verb_raises(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    def fail(*_args: object, **_kwargs: object) -> None:
        raise error

    monkeypatch.setattr("marianne.cli.session.Session.request", fail)


def test_a_fault_of_ours_is_told_without_a_traceback(marianne, monkeypatch) -> None:
    _verb_raises(monkeypatch, ZeroDivisionError("oops"))
    told = marianne("health")
    assert told.code == 1
    assert "ZeroDivisionError: oops" in told.err
    assert "Traceback" not in told.err


def test_ctrl_c_exits_130_and_says_nothing(marianne, monkeypatch) -> None:
    _verb_raises(monkeypatch, KeyboardInterrupt())
    told = marianne("health")
    assert told.code == 130
    assert told.err.strip() == ""


def test_a_reader_that_left_is_no_error_message(marianne, monkeypatch) -> None:
    _verb_raises(monkeypatch, BrokenPipeError())
    told = marianne("health")
    assert (told.code, told.out, told.err) == (exit_codes.BROKEN_PIPE, "", "")


def test_the_problems_of_a_score_are_listed(marianne, monkeypatch) -> None:
    problem = {
        "file": "a.yaml",
        "line": 3,
        "column": 5,
        "path": "sheets[0]",
        "message": "unknown key 'rnu'",
        "hint": "did you mean 'run'?",
    }
    _verb_raises(
        monkeypatch, CliError("invalid_score", "the score is invalid", data={"problems": [problem]})
    )
    told = marianne("health")
    assert told.code == 2
    assert "a.yaml:3:5: sheets[0]: unknown key 'rnu' (did you mean 'run'?)" in told.err


def test_what_is_wrong_with_a_request_is_not_put_down_to_a_score(marianne, monkeypatch) -> None:
    problem = {"path": "name", "message": "String should match pattern"}
    message = "name: String should match pattern"
    _verb_raises(monkeypatch, CliError("invalid_params", message, data={"problems": [problem]}))
    told = marianne("health")
    assert told.err == f"error: this cannot be done as it was asked:\n  {message}\n"


def test_an_unusable_home_is_told_plainly(marianne, home) -> None:
    home.pid_file.mkdir()
    told = marianne("start")
    assert told.code != 0
    assert "Traceback" not in told.err


def test_main_module_flushes_before_it_leaves(monkeypatch, capfd) -> None:
    left: list[int] = []
    monkeypatch.setattr("os._exit", left.append)
    print("kept", end="")
    main.leave(4)
    assert left == [4]
    assert capfd.readouterr().out == "kept"


def test_who_names_no_verb_is_shown_them_and_no_error(marianne) -> None:
    told = marianne()
    assert (told.code, told.out) == (exit_codes.USAGE, "")
    assert told.err.startswith("Usage: marianne ")
    assert "marianne init" in told.err
    assert marianne("schedule").err.startswith("Usage: marianne schedule ")

"""Checks: what each kind accepts, in which order, how often."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from marianne.model.plan import ValidationRule
from marianne.model.result import ValidationOutcome
from marianne.run import validate
from marianne.run.loop import Loop
from marianne.run.validate import Answer, Checks


class Bench:
    """Checks with a loop and commands that answer what the test says."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.loop = Loop()
        self.commands: list[tuple[str, str, float]] = []
        self.answers: list[bool] = []
        self.names = {"n": 3, "word": "two words"}

    def command(self, line: str, folder: str, timeout: float, answer: Answer) -> None:
        self.commands.append((line, folder, timeout))
        answer(self.answers.pop(0), "said")

    def checks(self, *rules: ValidationRule) -> Checks:
        return Checks(rules, self.names, str(self.folder), self.loop, self.command)

    def run(self, checks: Checks, seconds: float = 5.0) -> list[bool | None]:
        done: list[tuple[ValidationOutcome, ...]] = []
        checks.start(done.append)
        deadline = time.monotonic() + seconds
        while not done:
            assert time.monotonic() < deadline
            self.loop.turn(0.05)
        self.outcomes = done[0]
        return [outcome.passed for outcome in done[0]]


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    made.loop.close()


def exists(path: str, **more: int) -> ValidationRule:
    return ValidationRule("file_exists", path=path, **more)  # type: ignore[arg-type]


def test_a_directory_is_no_file_and_a_file_is_no_directory(bench: Bench) -> None:
    (bench.folder / "folder").mkdir()
    (bench.folder / "file").touch()
    (bench.folder / "link").symlink_to("folder")
    rules = [
        ValidationRule(kind, path=path)
        for kind in ("file_exists", "dir_exists")
        for path in ("file", "folder", "link", "nothing")
    ]
    assert bench.run(bench.checks(*rules)) == [True, *[False] * 4, True, True, False]
    details = [outcome.detail for outcome in bench.outcomes]
    assert details[1] == "folder is a directory"
    assert details[4] == "file is no directory"
    assert details[7] == "nothing does not exist"


def test_no_rules_pass(bench: Bench) -> None:
    assert bench.run(bench.checks()) == []


def test_stages_go_in_order_and_stop_at_the_first_failing_one(bench: Bench) -> None:
    (bench.folder / "a").touch()
    rules = (
        exists("later", stage=3),
        exists("missing", stage=2),
        exists("a"),
        exists("a", stage=2),
    )
    assert bench.run(bench.checks(*rules)) == [None, False, True, True]
    assert bench.outcomes[0].detail == "not reached"


def test_a_rule_whose_condition_does_not_hold_is_left_out(bench: Bench) -> None:
    rules = (
        ValidationRule("file_exists", path="missing", condition="n == 4"),
        ValidationRule("file_exists", path="missing", condition="n >= 3"),
    )
    assert bench.run(bench.checks(*rules)) == [None, False]


def test_a_failing_check_is_looked_at_again_until_it_passes(bench: Bench) -> None:
    rule = ValidationRule("command_succeeds", command="x", retry_count=3, retry_delay_ms=5)
    bench.answers = [False, False, True]
    assert bench.run(bench.checks(rule)) == [True]
    assert len(bench.commands) == 3


def test_a_check_that_goes_on_failing_fails_after_its_looks(bench: Bench) -> None:
    rule = ValidationRule("command_succeeds", command="x", retry_count=2, retry_delay_ms=5)
    bench.answers = [False] * 3
    assert bench.run(bench.checks(rule)) == [False]
    assert len(bench.commands) == 3


def test_a_file_that_appears_meanwhile_is_found(bench: Bench) -> None:
    late = bench.folder / "late"
    bench.loop.call_later(0.02, late.touch)
    assert bench.run(bench.checks(exists("late", retry_count=10, retry_delay_ms=10))) == [True]


def test_names_are_quoted_in_commands_and_plain_in_paths(bench: Bench) -> None:
    (bench.folder / "two words").touch()
    command = ValidationRule("command_succeeds", command="test {word} = ${HOME}", timeout_seconds=7)
    bench.answers = [True]
    assert bench.run(bench.checks(exists("{word}"), command)) == [True, True]
    assert bench.commands == [("test 'two words' = ${HOME}", f"{bench.folder}/", 7)]


def test_a_file_is_modified_when_it_is_new_changed_or_replaced(bench: Bench) -> None:
    names = ["new", "touched", "replaced", "same", "never"]
    for name in names[1:4]:
        (bench.folder / name).write_text("x")
    checks = bench.checks(*[ValidationRule("file_modified", path=name) for name in names])
    (bench.folder / "new").touch()
    os.utime(bench.folder / "touched", ns=(1, 1))
    same = (bench.folder / "replaced").stat()
    (bench.folder / "other").write_text("y")
    os.utime(bench.folder / "other", ns=(same.st_atime_ns, same.st_mtime_ns))
    (bench.folder / "other").rename(bench.folder / "replaced")
    assert bench.run(checks) == [True, True, True, False, False]


def test_contents_are_matched_line_by_line(bench: Bench) -> None:
    (bench.folder / "f").write_bytes(b"one\ntwo \xff\nthree\n")

    def passes(kind: str, pattern: str) -> bool | None:
        return bench.run(bench.checks(ValidationRule(kind, path="f", pattern=pattern)))[0]

    assert passes("content_contains", "two ")
    assert not passes("content_contains", "t.o")
    assert passes("content_regex", "^t.o")
    assert not passes("content_regex", "^wo")
    assert not passes("content_regex", "(")


def test_a_file_that_never_ends_is_not_read(bench: Bench) -> None:
    os.mkfifo(bench.folder / "fifo")
    for path in ("fifo", "/dev/zero", "."):
        rule = ValidationRule("content_contains", path=path, pattern="x")
        assert bench.run(bench.checks(rule)) == [False]


def test_a_huge_file_is_refused_with_advice(bench: Bench) -> None:
    with (bench.folder / "huge").open("wb") as file:
        file.truncate(validate.MAX_MATCHED_BYTES + 1)
    rule = ValidationRule("content_contains", path="huge", pattern="x")
    assert bench.run(bench.checks(rule)) == [False]
    assert "command_succeeds" in bench.outcomes[0].detail


def test_a_pattern_that_takes_for_ever_is_stopped(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(validate, "MATCH_SECONDS", 0.1)
    (bench.folder / "f").write_text("a" * 40 + "b")
    rule = ValidationRule("content_regex", path="f", pattern="^(a+)+$")
    assert bench.run(bench.checks(rule)) == [False]
    assert "took over" in bench.outcomes[0].detail


def test_cancelled_checks_call_nobody(bench: Bench) -> None:
    checks = bench.checks(exists("missing", retry_count=5, retry_delay_ms=10))
    called: list[object] = []
    checks.start(called.append)
    checks.cancel()
    bench.loop.call_later(0.05, bench.loop.stop)
    bench.loop.run()
    assert called == []


def test_checks_that_take_long_leave_others_their_turn(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(validate, "TURN_SECONDS", 0.0)
    (bench.folder / "a").touch()
    done: list[tuple[ValidationOutcome, ...]] = []
    checks = bench.checks(exists("a"), exists("b"), exists("a"))
    checks.start(done.append)
    assert done == []
    assert bench.run(bench.checks(exists("a"))) == [True]  # another's, meanwhile
    while not done:
        bench.loop.turn(0.05)
    assert [outcome.passed for outcome in done[0]] == [True, False, True]


def test_checks_that_are_cancelled_between_two_turns_are_over(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(validate, "TURN_SECONDS", 0.0)
    done: list[tuple[ValidationOutcome, ...]] = []
    checks = bench.checks(exists("a"), exists("b"))
    checks.start(done.append)
    checks.cancel()
    bench.loop.turn(0.0)
    assert done == []

"""What becomes of one attempt: skips, checks, limits, programs that cannot start."""

from __future__ import annotations

import dataclasses
import resource
import subprocess
from pathlib import Path
from typing import Any

import pytest
from run_conductor import SHELL, Conductor

from marianne.model.plan import CrossSheet, Prompt, SkipCommand, ValidationRule

pytestmark = pytest.mark.slow


def outcome(conductor: Conductor, script: str, **fields: Any) -> dict[str, Any]:
    """Runs one sheet and answers its result."""
    conductor.start(conductor.sheet(1, script, **fields))
    conductor.hello()
    conductor.run(1)
    return conductor.result()


def rule(kind: str, **fields: Any) -> ValidationRule:
    return ValidationRule(kind, **fields)


def test_exit_0_with_a_failing_check_is_a_failure(conductor: Conductor) -> None:
    checks = (rule("file_exists", path="there"), rule("file_exists", path="missing"))
    result = outcome(conductor, "touch there", validations=checks)
    assert (result["outcome"], result["category"], result["exit_code"]) == (
        "failed",
        "validation",
        0,
    )
    assert [v["passed"] for v in result["validations"]] == [True, False]
    assert "missing" in result["message"]


def test_a_pipe_in_the_place_of_its_output_holds_nobody_up(conductor: Conductor) -> None:
    """A worker that waited for the pipe's writer was taken for dead, with all that it ran."""
    put = 'for n in 1 2; do f=$(readlink /proc/$$/fd/$n); rm "$f"; mkfifo "$f"; done; exit 3'
    result = outcome(conductor, put)
    assert (result["category"], result["exit_code"]) == ("exit", 3)


def test_all_checks_passing_completes(conductor: Conductor) -> None:
    checks = (
        rule("file_exists", path="{workspace}/a"),
        rule("content_contains", path="a", pattern="number {sheet_num}"),
        rule("content_regex", path="a", pattern=r"^number \d$"),
        rule("file_modified", path="a"),
        rule("command_succeeds", command="grep -q number a"),
    )
    result = outcome(conductor, "echo number 1 > a", validations=checks)
    assert result["outcome"] == "completed"
    assert [v["passed"] for v in result["validations"]] == [True] * 5


def test_checks_are_not_made_when_the_program_failed(conductor: Conductor) -> None:
    checks = (rule("command_succeeds", command="touch checked"),)
    result = outcome(conductor, "exit 1", validations=checks)
    assert result["category"] == "exit"
    assert not (conductor.workspace / "checked").exists()


def test_a_failing_check_command_says_why(conductor: Conductor) -> None:
    checks = (rule("command_succeeds", command="echo too few lines; exit 4"),)
    result = outcome(conductor, "true", validations=checks)
    assert "exit code 4" in result["validations"][0]["detail"]
    assert "too few lines" in result["validations"][0]["detail"]
    assert not (conductor.job_dir / "sheets/1.1.check").exists()


def test_a_check_command_is_bounded_and_leaves_nothing(conductor: Conductor) -> None:
    command = "(trap '' TERM; setsid -f sleep 60); trap '' TERM; while :; do sleep 0.05; done"
    checks = (rule("command_succeeds", command=command, timeout_seconds=0.3),)
    result = outcome(conductor, "true", validations=checks)
    assert "longer than 0.3 s" in result["validations"][0]["detail"]
    assert conductor.alive() == []


def test_a_sheet_can_be_cancelled_while_it_is_checked(conductor: Conductor) -> None:
    checks = (rule("command_succeeds", command="touch checking; sleep 60"),)
    conductor.start(conductor.sheet(1, "true", validations=checks))
    conductor.hello()
    conductor.run(1)
    conductor.until((conductor.workspace / "checking").exists)
    conductor.send(kind="cancel", sheets=None, category="cancelled", grace=1)
    assert conductor.result()["outcome"] == "interrupted"
    assert conductor.alive() == []


def test_a_sheet_over_its_time_is_ended_with_its_tree(conductor: Conductor) -> None:
    result = outcome(conductor, "setsid -f sleep 60; sleep 60; :", timeout_seconds=0.3)
    assert (result["outcome"], result["category"]) == ("failed", "timeout")
    assert "0.3 s" in result["message"]
    assert conductor.alive() == []


def test_a_silent_sheet_is_ended_and_a_talking_one_is_not(conductor: Conductor) -> None:
    talk = "for i in 1 2 3 4 5 6 7 8; do echo $i; sleep 0.1; done"
    conductor.start(
        conductor.sheet(1, talk, idle_timeout_seconds=0.4),
        conductor.sheet(2, "echo hello; sleep 60", idle_timeout_seconds=0.4),
    )
    conductor.hello()
    conductor.run(1, 2)
    assert conductor.result(2)["category"] == "idle"
    assert conductor.result(1)["outcome"] == "completed"


def test_a_sheet_that_writes_too_much_is_ended(conductor: Conductor) -> None:
    conductor.start(conductor.sheet(1, "exec yes"), output_limit_bytes=1_000_000)
    conductor.hello()
    conductor.run(1)
    result = conductor.result()
    assert result["category"] == "output_limit"
    assert result["output_bytes"] > 1_000_000
    (conductor.job_dir / "sheets/1.1.out").write_bytes(b"")


def test_a_sheet_that_uses_too_much_memory_is_ended(conductor: Conductor) -> None:
    hog = "python3 -S -c 'import time; x = bytearray(b\"x\" * (60 << 20)); time.sleep(60)'"
    result = outcome(conductor, f"{hog} & {hog}", max_memory_mb=100)
    assert result["category"] == "resource_limit"
    assert conductor.alive() == []


def test_a_skip_command_that_succeeds_skips(conductor: Conductor) -> None:
    result = outcome(conductor, "touch ran", skip_when_command=SkipCommand("test -d {workspace}"))
    assert result["outcome"] == "skipped"
    assert not (conductor.workspace / "ran").exists()


@pytest.mark.parametrize("command", ["exit 1", "sleep 60"])
def test_a_skip_command_that_fails_or_hangs_runs_the_sheet(
    conductor: Conductor, command: str
) -> None:
    skip = SkipCommand(command, timeout_seconds=0.2)
    result = outcome(conductor, "touch ran", skip_when_command=skip)
    assert result["outcome"] == "completed"
    assert (conductor.workspace / "ran").exists()


def test_a_skip_expression_sees_the_sheets_before(conductor: Conductor) -> None:
    conductor.start(
        "true",
        conductor.sheet(2, "touch ran", skip_when="sheets[1].status == 'completed'"),
    )
    conductor.hello()
    conductor.run(1)
    conductor.result(1)
    conductor.run(2, outputs={1: 1})
    assert conductor.result(2)["outcome"] == "skipped"


def test_a_skip_expression_sees_what_passed_its_checks_also_without_a_restart(
    conductor: Conductor,
) -> None:
    conductor.start(
        "true", conductor.sheet(2, "touch ran", skip_when="sheets[1].validation_passed")
    )
    conductor.hello()
    conductor.run(1)
    conductor.result(1)
    conductor.run(2)
    assert conductor.result(2)["outcome"] == "skipped"


def test_a_missing_program_is_said_clearly(conductor: Conductor) -> None:
    command = SHELL.command | {"executable": "no-such-agent"}
    instrument = dataclasses.replace(SHELL, command=command)
    sheet = dataclasses.replace(conductor.sheet(1, "true"), instrument=instrument)
    conductor.start(sheet)
    conductor.hello()
    conductor.run(1)
    result = conductor.result()
    assert (result["outcome"], result["category"]) == ("failed", "not_found")
    assert "no-such-agent" in result["message"]


def test_an_unavailable_instrument_fails_before_it_starts(conductor: Conductor) -> None:
    gone = dataclasses.replace(SHELL, command={}, unavailable="it is a hosted model")
    sheet = dataclasses.replace(conductor.sheet(1, "true"), instrument=gone, fallbacks=(SHELL,))
    conductor.start(sheet)
    conductor.hello()
    conductor.run(1)
    assert conductor.result()["category"] == "not_found"
    conductor.run(1, attempt=2, fallback=1)
    assert conductor.result(1, 2)["outcome"] == "completed"


def test_an_undefined_variable_is_a_template_failure(conductor: Conductor) -> None:
    result = outcome(conductor, "echo {{ nowhere }}")
    assert (result["outcome"], result["category"]) == ("failed", "template")
    assert "nowhere" in result["message"]


def test_a_killed_program_says_by_which_signal(conductor: Conductor) -> None:
    result = outcome(conductor, "kill -9 $$")
    assert (result["category"], result["signal"]) == ("signal", 9)
    assert "SIGKILL" in result["message"]


def test_a_later_sheet_reads_the_end_of_an_earlier_ones_output(conductor: Conductor) -> None:
    second = dataclasses.replace(
        conductor.sheet(2, ""),
        prompt=Prompt("echo 'got {{ previous_outputs[1] }}'", script=True),
        cross_sheet=CrossSheet(auto_capture_stdout=True, max_output_chars=5),
    )
    conductor.start("printf 123456789", second)
    conductor.hello()
    conductor.run(1)
    conductor.result(1)
    conductor.run(2, outputs={1: 1})
    conductor.result(2)
    assert (conductor.job_dir / "sheets/2.1.out").read_text() == "got 56789\n"


def test_an_earlier_output_that_is_gone_is_not_taken_for_an_empty_one(conductor: Conductor) -> None:
    """The files of an ended job may be forgotten, and then it is retried."""
    cross = CrossSheet(auto_capture_stdout=True)
    text = Prompt("echo 'got {{ previous_outputs[1] }}' >> made", script=True)
    second = dataclasses.replace(conductor.sheet(2, ""), prompt=text, cross_sheet=cross)
    third = dataclasses.replace(conductor.sheet(3, "true"), cross_sheet=cross)
    conductor.start("true", second, third)
    conductor.hello()
    conductor.run(2, outputs={1: 1})
    result = conductor.result(2)
    assert (result["outcome"], result["category"]) == ("failed", "template")
    assert "sheet 1" in result["message"]
    assert not (conductor.workspace / "made").exists()
    conductor.run(3, outputs={1: 1})
    assert conductor.result(3)["outcome"] == "completed", "it does not ask for it"


def test_a_background_child_on_stdout_does_not_hang_the_sheet(conductor: Conductor) -> None:
    result = outcome(conductor, "sleep 60 & echo done")
    assert result["outcome"] == "completed"
    assert len(result["left_running"]) == 1
    assert result["finished_at"] - result["started_at"] < 5
    assert conductor.alive() == []


def test_a_removed_workspace_is_made_again(conductor: Conductor) -> None:
    conductor.start("rm -rf $MARIANNE_WORKSPACE", "pwd")
    conductor.hello()
    conductor.run(1)
    conductor.result(1)
    conductor.run(2)
    assert conductor.result(2)["outcome"] == "completed"


def limit(worker: subprocess.Popen[bytes], which: int, soft: int) -> None:
    resource.prlimit(worker.pid, which, (soft, resource.getrlimit(which)[1]))


@pytest.mark.parametrize(
    ("which", "soft", "category"),
    [(resource.RLIMIT_NOFILE, 3, "machine"), (resource.RLIMIT_FSIZE, 0, "disk_full")],
    ids=["no descriptor left", "no file may grow"],
)
def test_a_sheet_that_the_machine_cannot_begin_has_not_failed(
    conductor: Conductor, which: int, soft: int, category: str
) -> None:
    worker = conductor.start("echo done")
    conductor.hello()
    limit(worker, which, soft)
    conductor.run(1)
    first = conductor.result()
    assert (first["outcome"], first["category"]) == ("interrupted", category)
    assert first["message"]
    limit(worker, which, resource.getrlimit(which)[0])
    conductor.run(1, attempt=2)
    assert conductor.result(1, 2)["outcome"] == "completed"


def test_a_check_that_cannot_be_started_just_now_is_made_later(conductor: Conductor) -> None:
    script = "touch begun; until test -e go; do sleep 0.02; done"
    checks = (rule("command_succeeds", command="test -e go"),)
    worker = conductor.start(conductor.sheet(1, script, validations=checks))
    conductor.hello()
    conductor.run(1)
    conductor.until((conductor.workspace / "begun").exists)
    (program,) = {int(pid) for pid in children(worker.pid)}
    limit(worker, resource.RLIMIT_NOFILE, 3)
    (conductor.workspace / "go").touch()
    conductor.until(lambda: not Path(f"/proc/{program}").exists())
    limit(worker, resource.RLIMIT_NOFILE, 1024)
    assert conductor.result()["outcome"] == "completed"


def children(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()


def test_a_program_that_fails_where_nothing_can_be_written_has_not_failed(
    conductor: Conductor,
) -> None:
    """Its output is lost, and the loss may be why it failed: it uses up no retry."""
    worker = conductor.start(conductor.sheet(1, "exit 3"))
    conductor.hello()
    limit(worker, resource.RLIMIT_FSIZE, 16_384)
    conductor.run(1)
    result = conductor.result()
    assert (result["outcome"], result["category"]) == ("interrupted", "disk_full")
    assert "its output could not be kept" in result["message"]

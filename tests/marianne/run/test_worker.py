"""A worker process over its real socket: grants in, results out."""

from __future__ import annotations

import os
import signal

import pytest
from run_conductor import Conductor

from marianne.run.spool import read_spool

pytestmark = pytest.mark.slow


def test_it_says_who_it_is(conductor: Conductor) -> None:
    worker = conductor.start("true")
    hello = conductor.hello()
    assert (hello["protocol"], hello["job_id"]) == (1, "test")
    assert hello["pid"] == hello["sid"] == worker.pid
    assert conductor.identity.startswith(b"worker-")
    assert (hello["running"], hello["queued"], hello["unacked"]) == ([], [], [])


def test_a_sheet_runs_in_its_workspace_and_its_result_says_how_it_went(
    conductor: Conductor,
) -> None:
    conductor.start("pwd; echo oops >&2; exit 3")
    conductor.hello()
    conductor.run(1)
    pid = conductor.started(1)
    result = conductor.result()
    assert (result["outcome"], result["category"], result["exit_code"]) == ("failed", "exit", 3)
    assert result["started_at"] <= result["finished_at"]
    assert pid > 0
    assert (conductor.job_dir / "sheets/1.1.out").read_text() == f"{conductor.workspace}\n"
    assert (conductor.job_dir / "sheets/1.1.err").read_text() == "oops\n"
    assert result["output_bytes"] == len(f"{conductor.workspace}\n") + 5


def test_a_sheet_finds_the_submitters_environment_and_its_own_names(conductor: Conductor) -> None:
    conductor.start("env; ps -o pid=,pgid= -p $$")
    conductor.hello()
    conductor.run(1, attempt=4)
    assert conductor.result(1, 4)["outcome"] == "completed"
    text = (conductor.job_dir / "sheets/1.4.out").read_text()
    for line in (
        "MARIANNE_JOB_ID=test",
        "MARIANNE_SHEET=1",
        "MARIANNE_ATTEMPT=4",
        f"MARIANNE_WORKSPACE={conductor.workspace}",
        f"MARIANNE_OWNER={conductor.owner}",
        "PYTHONUNBUFFERED=1",
        f"PATH={os.environ['PATH']}",
    ):
        assert line in text.splitlines()
    assert "HOME=" not in text
    pid, group = text.splitlines()[-1].split()
    assert pid == group


def test_granted_sheets_share_the_slots_in_order(conductor: Conductor) -> None:
    script = "echo $MARIANNE_SHEET >> order; sleep 0.02"
    conductor.start(*[script] * 20)
    conductor.hello()
    conductor.run(*range(1, 21), slots=1)
    conductor.until(lambda: len(conductor.results) == 20)
    order = (conductor.workspace / "order").read_text().split()
    assert order == [str(n) for n in range(1, 21)]
    batches = [len(m["results"]) for m in conductor.of("results")]
    assert sum(batches) >= 20


def test_without_slots_all_run_at_once(conductor: Conductor) -> None:
    meet = "touch $MARIANNE_SHEET.up; until [ $(ls *.up | wc -l) = 5 ]; do sleep 0.01; done"
    conductor.start(*[meet] * 5)
    conductor.hello()
    conductor.run(1, 2, 3, 4, 5)
    conductor.until(lambda: len(conductor.results) == 5)
    assert {r["outcome"] for r in conductor.results.values()} == {"completed"}


def test_an_echo_of_a_grant_runs_nothing_and_sends_the_result_again(conductor: Conductor) -> None:
    conductor.acking = False
    conductor.start("echo run >> runs")
    conductor.hello()
    conductor.run(1)
    conductor.result()
    conductor.results.clear()
    conductor.run(1)
    conductor.result()
    assert (conductor.workspace / "runs").read_text() == "run\n"


def test_a_cancelled_sheet_is_interrupted_and_its_neighbour_goes_on(conductor: Conductor) -> None:
    loop = "trap '' TERM; while :; do sleep 0.05; : $TAG; done"
    conductor.start(f"(setsid bash -c {loop!r}) & {loop}", "until [ -e go ]; do sleep 0.01; done")
    conductor.hello()
    conductor.run(1, 2)
    conductor.started(2)
    conductor.until(lambda: len(conductor.alive()) >= 3)
    conductor.send(kind="cancel", sheets=[1], category="cancelled", grace=0.2)
    result = conductor.result(1)
    assert (result["outcome"], result["category"]) == ("interrupted", "cancelled")
    assert len(conductor.alive()) <= 2  # the neighbour and its sleep
    (conductor.workspace / "go").touch()
    assert conductor.result(2)["outcome"] == "completed"
    assert conductor.alive() == []


def test_a_queued_sheet_that_is_cancelled_never_starts(conductor: Conductor) -> None:
    conductor.start("until [ -e go ]; do sleep 0.01; done", "touch ran")
    conductor.hello()
    conductor.run(1, 2, slots=1)
    conductor.started(1)
    conductor.send(kind="cancel", sheets=[2], category="cancelled", grace=0)
    assert conductor.result(2)["outcome"] == "interrupted"
    (conductor.workspace / "go").touch()
    conductor.result(1)
    assert not (conductor.workspace / "ran").exists()


def test_stop_ends_all_says_bye_and_leaves_nothing(conductor: Conductor) -> None:
    worker = conductor.start(*["(env -i setsid -f bash -c 'sleep 60; : $TAG'); sleep 60"] * 3)
    conductor.hello()
    conductor.run(1, 2, 3, slots=2)
    conductor.started(2)
    conductor.send(kind="stop", grace=0.2, category="stopped")
    conductor.until(lambda: conductor.of("bye"))
    assert worker.wait(5) == 0
    assert conductor.alive() == []
    endings = {(r["outcome"], r["category"]) for r in conductor.results.values()}
    assert endings == {("interrupted", "stopped")}
    assert len(conductor.results) == 3


def test_sigterm_to_the_worker_ends_its_sheets(conductor: Conductor) -> None:
    worker = conductor.start("trap 'echo cleaned; exit 1' TERM; sleep 60 & wait")
    conductor.hello()
    conductor.run(1)
    conductor.started(1)
    out = conductor.job_dir / "sheets/1.1.out"
    worker.send_signal(signal.SIGTERM)
    assert conductor.result()["outcome"] == "interrupted"
    assert worker.wait(5) == 0
    assert out.exists()


def test_unacknowledged_results_outlive_the_worker(conductor: Conductor) -> None:
    conductor.acking = False
    worker = conductor.start("echo one")
    conductor.hello()
    conductor.run(1)
    serial = conductor.result()["serial"]
    worker.kill()
    worker.wait()
    assert [r["num"] for r in read_spool(str(conductor.job_dir / "spool"))] == [1]
    conductor.messages.clear()
    conductor.start_again()
    hello = conductor.hello()
    assert [(r["num"], r["serial"]) for r in hello["unacked"]] == [(1, serial)]


def test_results_that_do_not_fit_the_hello_are_named_in_it(conductor: Conductor) -> None:
    conductor.acking = False
    conductor.start(*["true"] * 103)
    conductor.hello()
    conductor.run(*range(1, 104), slots=8)
    conductor.until(lambda: len(conductor.results) == 103)
    conductor.messages.clear()
    conductor.send(kind="report")
    hello = conductor.hello()
    assert len(hello["unacked"]) == 100
    rest = conductor.until(lambda: conductor.of("results"))[0]["results"]
    assert hello["ended"] == [[r["num"], r["attempt"]] for r in rest]
    assert len(rest) == 3


def test_what_a_dead_worker_began_comes_from_the_next_as_interrupted(conductor: Conductor) -> None:
    worker = conductor.start("echo it began; sleep 60")
    conductor.hello()
    conductor.run(1)
    conductor.started(1)
    worker.kill()
    worker.wait()
    conductor.messages.clear()
    conductor.start_again()
    (lost,) = conductor.hello()["unacked"]
    assert (lost["num"], lost["attempt"]) == (1, 1)
    assert (lost["outcome"], lost["category"]) == ("interrupted", "lost")
    conductor.run(1, attempt=1)
    conductor.run(1, attempt=2)
    conductor.started(1)
    assert (conductor.job_dir / "sheets/1.2.out").exists()


def test_report_says_what_runs_and_what_waits(conductor: Conductor) -> None:
    conductor.start("sleep 60", "true")
    conductor.hello()
    conductor.run(1, slots=1)
    conductor.run(2, slots=1, ahead=True)
    conductor.started(1)
    conductor.messages.clear()
    conductor.send(kind="report")
    hello = conductor.hello()
    assert (hello["running"], hello["queued"]) == ([[1, 1]], [[2, 1]])


def test_what_was_granted_ahead_begins_when_another_ends(conductor: Conductor) -> None:
    conductor.start("until [ -e go ]; do sleep 0.01; done", "true")
    conductor.hello()
    conductor.run(1, slots=1)
    conductor.run(2, slots=1, ahead=True)
    conductor.started(1)
    (conductor.workspace / "go").touch()
    assert conductor.result(2)["outcome"] == "completed"
    assert conductor.result(1)["finished_at"] <= conductor.result(2)["started_at"]


def test_what_has_a_slot_goes_before_what_was_granted_ahead(conductor: Conductor) -> None:
    conductor.start("sleep 60", "true", "true")
    conductor.hello()
    conductor.run(1, slots=1)
    conductor.run(2, slots=1, ahead=True)
    conductor.run(3, slots=2)
    assert conductor.result(2)["started_at"] >= conductor.result(3)["finished_at"]


def test_what_was_granted_ahead_is_given_back_and_may_come_again(conductor: Conductor) -> None:
    conductor.start("sleep 60", "true")
    conductor.hello()
    conductor.run(1, slots=1)
    conductor.run(2, slots=1, ahead=True)
    conductor.started(1)
    conductor.send(kind="withdraw")
    conductor.until(lambda: [m for m in conductor.of("withdrawn") if m["sheets"] == [[2, 1]]])
    conductor.run(2, slots=2)
    assert conductor.result(2)["attempt"] == 1


def test_nonsense_on_the_line_is_survived(conductor: Conductor) -> None:
    conductor.start("true")
    conductor.hello()
    conductor.send(kind="run", sheets=[{"num": "x"}])
    conductor.send(no="kind")
    conductor.send(kind="ack", serials=None)
    conductor.run(1)
    assert conductor.result()["outcome"] == "completed"


def test_a_grant_with_a_delay_starts_later(conductor: Conductor) -> None:
    conductor.start("true")
    conductor.hello()
    conductor.run(1, delay=0.3)
    conductor.send(kind="report")
    conductor.until(lambda: [m for m in conductor.of("hello") if m["running"] == [[1, 1]]])
    assert conductor.result()["outcome"] == "completed"


def test_a_sheet_that_the_job_does_not_have_fails(conductor: Conductor) -> None:
    conductor.start("true")
    conductor.hello()
    conductor.run(9)
    assert conductor.result(9)["category"] == "internal"


def test_a_sheet_inherits_nothing_odd(conductor: Conductor) -> None:
    script = "umask; ls /proc/self/fd; grep -E 'Sig(Ign|Blk)' /proc/self/status; ps -o sid= -p $$"
    worker = conductor.start(script)
    conductor.hello()
    conductor.run(1)
    conductor.result()
    lines = (conductor.job_dir / "sheets/1.1.out").read_text().split()
    assert lines[0] == "0022"
    assert lines[1:5] == ["0", "1", "2", "3"]  # 3 is the directory that ls reads
    assert [int(lines[i], 16) for i in (6, 8)] == [0, 0]
    assert lines[9] == str(worker.pid)


def test_more_unacknowledged_results_than_fit_in_a_message_all_arrive(
    conductor: Conductor,
) -> None:
    conductor.acking = False
    worker = conductor.start(*["true"] * 250)
    conductor.hello()
    conductor.run(*range(1, 251), slots=2)
    conductor.until(lambda: len(conductor.results) == 250, 30)
    worker.kill()
    worker.wait()
    conductor.results.clear()
    conductor.start_again()
    conductor.until(lambda: len(conductor.results) == 250)


def test_cancelling_at_any_moment_gives_one_result_and_leaves_nothing(
    conductor: Conductor,
) -> None:
    script = "(env -i setsid -f sleep 60); (sleep 60 &); sleep 0.05; echo > $MARIANNE_SHEET.made"
    count = 40
    conductor.start(*[script] * count)
    conductor.hello()
    conductor.run(*range(1, count + 1), slots=4)
    for num in range(1, count + 1):
        if num % 3:
            conductor.send(kind="cancel", sheets=[num], category="cancelled", grace=0.1 * (num % 2))
        conductor.until(lambda: len(conductor.results) > num // 2)  # noqa: B023
    conductor.until(lambda: len(conductor.results) == count, 30)
    assert conductor.alive() == []
    sent = [(r["num"], r["serial"]) for m in conductor.of("results") for r in m["results"]]
    assert len({serial for _, serial in sent}) == count

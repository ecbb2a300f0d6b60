"""What those who come from the reference write does what they expect."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from test_cli_questions import DAEMON, JOB, sheet


def attempt(num: int, category: str) -> dict[str, object]:
    return {
        "sheet": num,
        "name": f"s{num}",
        "attempt": 1,
        "outcome": "failed",
        "category": category,
        "started_at": "2026-11-24T08:45:58.000000Z",
        "finished_at": "2026-11-24T08:45:58.000000Z",
        "duration_seconds": 1.0,
        "peak_memory_mb": 0.0,
        "output_bytes": 0,
        "message": f"because of {category}",
    }


@pytest.mark.parametrize(
    ("narrowed", "told"),
    [
        ((), ["timeout", "auth", "rate_limit", "exit"]),
        (("--sheet", "2"), ["auth"]),
        (("--type", "timeout"), ["timeout"]),
        (("--type", "transient"), ["timeout", "exit"]),
        (("--type", "permanent"), ["auth"]),
        (("--type", "rate_limit", "--sheet", "2"), []),
        (("--type", "transient", "--limit", "1"), ["timeout"]),
    ],
)
def test_errors_are_narrowed_by_sheet_and_type(marianne, conductor, narrowed, told) -> None:
    found = [attempt(n + 1, c) for n, c in enumerate(("timeout", "auth", "rate_limit", "exit"))]
    answer = {"job_id": "wc", "status": "failed", "errors": found, "total": 4, "skipped": []}
    conductor.answers["job.errors"] = {**answer, "error": None}
    shown = marianne("errors", "wc", "--json", *narrowed).json["errors"]
    assert [error["category"] for error in shown] == told
    assert conductor.params("job.errors")["limit"] == (1_000 if narrowed else 50)


def test_pause_wait_returns_when_nothing_runs_any_more(marianne, conductor) -> None:
    statuses = iter(["pausing", "paused"])

    def pause(_params: object) -> dict[str, object]:
        conductor.happen("sheet.completed", 1)
        conductor.happen("job.paused")
        return {"jobs": [{"job_id": "wc", "ok": True}]}

    conductor.answers["job.pause"] = pause
    conductor.answers["job.status"] = lambda _: {**JOB, "status": next(statuses)}
    told = marianne("pause", "wc", "--wait")
    assert (told.code, told.out) == (0, "wc: paused\n")


def test_pause_wait_says_when_the_job_ended_instead(marianne, conductor) -> None:
    conductor.answers["job.pause"] = {"jobs": [{"job_id": "wc", "ok": True}]}
    conductor.answers["job.status"] = {**JOB, "status": "completed"}
    told = marianne("pause", "wc", "-w")
    assert (told.code, told.out) == (1, "wc: completed\n")


def test_pause_without_wait_asks_for_nothing_else(marianne, conductor) -> None:
    conductor.answers["job.pause"] = {"jobs": [{"job_id": "wc", "status": "pausing", "ok": True}]}
    assert marianne("pause", "wc").out == "wc: pausing\n"
    assert [method for method, _ in conductor.asked] == ["job.pause"]


def test_modify_lets_the_job_go_on_with_and_without_resume(marianne, conductor, tmp_path) -> None:
    (tmp_path / "s.yaml").write_text("name: wc\nsheets: [{name: a, run: 'true'}]\n")
    answer = {"job_id": "wc", "status": "queued", "message": "goes on", "changes": [], "diff": ""}
    conductor.answers["job.modify"] = answer
    for more in ((), ("--resume",), ("-r",)):
        assert marianne("modify", "wc", "-c", "s.yaml", *more).out == "wc: goes on\n"
    assert [method for method, _ in conductor.asked] == ["job.modify"] * 3


def test_diagnose_includes_what_the_log_says_of_the_job(marianne, conductor, home) -> None:
    lines = [json.dumps({"event": "hello", "job_id": job}) for job in ("wc", "wc-2", "wc")]
    home.log.write_text("".join(f"{line}\n" for line in lines))
    conductor.answers["job.diagnose"] = {"job_id": "wc", "cause": "none"}
    assert marianne("diagnose", "wc", "--json").json == {"job_id": "wc", "cause": "none"}
    told = marianne("diagnose", "wc", "--include-logs", "--json").json
    assert told["logs"] == [lines[0], lines[2]]


def test_watching_a_job_shows_its_events_and_how_it_ended(marianne, conductor) -> None:
    conductor.answers["job.status"] = {**JOB, "status": "completed", "sheets": [sheet(1, "a")]}
    told = marianne("status", "wc", "--watch")
    assert told.code == 0
    assert "completed" in told.out


def test_watching_the_conductor_goes_on_until_it_ends(marianne, conductor) -> None:
    looks = []

    def status(_params: object) -> dict[str, object]:
        looks.append(1)
        if len(looks) == 3:
            conductor.leave()
        return DAEMON

    conductor.answers["daemon.status"] = status
    conductor.answers["job.list"] = {"jobs": [JOB], "cursor": None, "total": 1}
    told = marianne("status", "--watch", "--interval", "10ms", "--json")
    assert told.code == 3
    assert len(told.lines) >= 3
    assert told.lines[0] == {"conductor": DAEMON, "jobs": [JOB]}


def test_config_path_names_the_file_that_is_read(marianne, home) -> None:
    assert marianne("config", "path").out == f"{home.config_file}\n"
    assert marianne("config", "path", "--json").json == {
        "path": str(home.config_file),
        "exists": False,
    }


def test_config_init_writes_every_default_and_changes_none(marianne, home) -> None:
    assert marianne("config", "init").code == 0
    assert marianne("config", "init").code == 5
    before = marianne("config", "show", "--json").json
    text = home.config_file.read_text()
    home.config_file.write_text(text.replace("\n# ", "\n"))
    assert marianne("config", "check").out == "valid\n"
    after = marianne("config", "show", "--json").json
    assert {**after, "config_file": None} == {**before, "config_file": None}
    assert home.config_file.stat().st_mode & 0o777 == 0o600


def test_config_set_changes_one_line_and_refuses_what_does_not_fit(marianne, home) -> None:
    text = "# mine\nlog_level:   info  # quiet\n\nretention: {event_days: 3}\n"
    home.config_file.write_text(text)
    assert marianne("config", "set", "log_level", "debug").code == 0
    assert marianne("config", "set", "retention.event_mb", "9").code == 0
    assert marianne("config", "set", "resource_limits.max_memory_mb", "4096").code == 0
    mended = (
        "# mine\nlog_level:   debug  # quiet\n\nretention: {event_mb: 9, event_days: 3}\n"
        "resource_limits:\n  max_memory_mb: 4096\n"
    )
    assert home.config_file.read_text() == mended
    for name, value, word in (
        ("log_level", "loud", f"{home.config_file}:2:14: log_level: must be"),
        ("max_memory_mb", "1", "there is no setting 'max_memory_mb'"),
    ):
        told = marianne("config", "set", name, value)
        assert (told.code, word in told.err) == (2, True)
    assert home.config_file.read_text() == mended


def test_config_show_hides_what_lets_in_whoever_knows_it(marianne, home) -> None:
    home.config_file.write_text(
        "traces: {endpoint: 'http://h:1/sesame', headers: {key: sesame}}\n"
        "notifications: [{type: webhook, config: {url: 'https://hooks/sesame'}}]\n"
    )
    for options in ((), ("--json",), ("--origin",)):
        told = marianne("config", "show", *options)
        assert told.code == 0
        assert "sesame" not in told.out + told.err
        assert "https://hooks/" in told.out
    assert marianne("config", "show", "--reveal").out.count("sesame") == 3


@pytest.mark.parametrize("wrong", ["traces: {headers: sesame}", "notifications: 'sesame'"])
def test_an_error_names_no_value_that_may_be_a_secret(marianne, home, wrong) -> None:
    home.config_file.write_text(f"{wrong}\n")
    told = marianne("config", "check")
    assert (told.code, "sesame" in told.err) == (2, False)
    assert "must be a" in told.err


@pytest.mark.slow
def test_of_settings_that_are_written_at_once_none_is_lost(home) -> None:
    names = ("max_job_history", "monitor_interval_seconds", "output_limit_mb", "gpus")
    argv = [sys.executable, "-m", "marianne.cli", "--home", str(home.path), "config", "set"]
    for value in ("20", "30", "40"):
        writers = [subprocess.Popen([*argv, name, value]) for name in names]
        assert [writer.wait(60) for writer in writers] == [0] * len(names)
        written = home.config_file.read_text().splitlines()
        assert sorted(written) == sorted(f"{name}: {value}" for name in names)


def test_the_doctor_looks_at_home_configuration_conductor_and_instruments(marianne, home) -> None:
    told = marianne("doctor", "--json")
    assert told.code == 0
    by_name = {finding["what"]: finding for finding in told.json}
    assert by_name["conductor"]["well"] is None
    assert by_name["instrument shell"]["well"] is True
    home.config_file.write_text("nonsense: 1\n")
    told = marianne("doctor")
    assert told.code == 1
    assert "nonsense: unknown key" in told.out


def test_the_doctor_says_that_the_conductor_takes_no_work(marianne, conductor) -> None:
    conductor.answers["daemon.health"] = {"status": "ok"}
    conductor.answers["daemon.ready"] = {"status": "not_ready"}
    told = marianne("doctor")
    assert told.code == 1
    assert "takes no work now" in told.out

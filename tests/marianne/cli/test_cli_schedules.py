"""``marianne schedule``: what is asked, what is printed, how it exits."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from cli_fake import Refuse

from marianne.cli.zone import local_zone

NIGHTLY: dict[str, Any] = {
    "name": "nightly",
    "cron": "30 2 * * *",
    "tz": "Europe/Paris",
    "overlap": "skip",
    "catch_up": "one",
    "config_path": "/w/report.yaml",
    "workspace": None,
    "variables": {},
    "priority": 5,
    "fresh": False,
    "created_at": "2026-03-27T10:00:00.000000Z",
    "paused": False,
    "next_slot": "2026-03-29T01:00:00.000000Z",
    "waiting": [],
    "waits_for": None,
    "last_slot": "2026-03-28T01:30:00.000000Z",
    "last_job": {"job_id": "report-7", "status": "completed"},
    "last_error": None,
    "last_error_at": None,
}
CHANGED = {"name": "nightly", "paused": False, "next_slot": NIGHTLY["next_slot"]}
SUBMITTED = {"job_id": "", "status": "accepted", "message": "", "warnings": ["w: careful"]}


@pytest.fixture
def score(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "report.yaml"
    path.write_text("name: report\nsheets: [{name: a, run: 'true'}]\n")
    return path


def test_a_score_is_checked_and_then_scheduled(
    marianne, conductor, score: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRACEPARENT", f"00-{'a' * 32}-{'b' * 16}-01")
    conductor.answers |= {"job.submit": SUBMITTED, "schedule.add": CHANGED}
    rules = ("--cron", "30 2 * * *", "--tz", "Europe/Paris", "--catch-up", "one")
    done = marianne("schedule", "add", "report.yaml", *rules, "--overlap", "queue", "--var", "a=b")
    assert (done.code, done.out) == (0, "nightly: the next slot is 2026-03-29 03:00:00 CEST\n")
    assert "careful" in done.err
    checked, added = conductor.params("job.submit"), conductor.params("schedule.add")
    assert checked["dry_run"] is True
    assert (added["cron"], added["tz"], added["name"]) == ("30 2 * * *", "Europe/Paris", None)
    assert (added["overlap"], added["catch_up"]) == ("queue", "one")
    assert (added["config_path"], added["variables"]) == (str(score), {"a": "b"})
    assert added["client_cwd"] == str(score.parent)
    assert added["environment"]
    assert "TRACEPARENT" not in added["environment"], "its jobs are no part of what adds it"


def test_what_is_wrong_with_the_score_is_said_at_once(marianne, conductor, score: Path) -> None:
    def refuse(params: dict[str, Any]) -> None:
        raise Refuse("invalid_score", "report.yaml: no sheets")

    conductor.answers["job.submit"] = refuse
    done = marianne("schedule", "add", str(score), "--cron", "@daily")
    assert done.code == 2
    assert "no sheets" in done.err


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (("add", "-", "--cron", "@daily"), "cannot be read again at each slot"),
        (("add", "gone.yaml", "--cron", "@daily"), "there is no score 'gone.yaml'"),
        (("add", "report.yaml"), "--cron"),
        (("add", "report.yaml", "--cron", "@daily", "--overlap", "both"), "--overlap"),
        (("ad", "report.yaml"), "ad"),
    ],
)
def test_usage_errors(
    marianne,
    conductor,
    score: Path,
    monkeypatch: pytest.MonkeyPatch,
    argv: tuple[str, ...],
    words: str,
) -> None:
    import io
    import sys

    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"name: x\n")))
    done = marianne("schedule", *argv)
    assert done.code == 2
    assert words in done.err


def test_an_unknown_schedule_exits_as_other_things_that_are_not_found(marianne, conductor) -> None:
    def refuse(params: dict[str, Any]) -> None:
        raise Refuse("not_found", f"no schedule {params['name']!r}", "`marianne schedule list`")

    for verb in ("remove", "pause", "resume", "run_now"):
        conductor.answers[f"schedule.{verb}"] = refuse
        done = marianne("schedule", verb.replace("_", "-"), "nightly")
        assert done.code == 4
        assert "no schedule 'nightly'" in done.err


def test_what_was_done_is_said(marianne, conductor) -> None:
    said = {"remove": "removed", "pause": "paused", "resume": "resumed"}
    for verb, words in said.items():
        conductor.answers[f"schedule.{verb}"] = CHANGED
        assert marianne("schedule", verb, "nightly").out == f"nightly: {words}\n"
        assert json.loads(marianne("schedule", verb, "nightly", "--json").out) == CHANGED
    conductor.answers["schedule.run_now"] = {
        **SUBMITTED,
        "job_id": "report-8",
        "message": "1 sheet",
    }
    assert marianne("schedule", "run-now", "nightly").out == "report-8: 1 sheet\n"


def test_the_list_shows_next_and_last_slot_by_the_clocks_of_the_zone(marianne, conductor) -> None:
    troubled = {
        **NIGHTLY,
        "name": "weekly",
        "paused": True,
        "next_slot": None,
        "last_job": {"job_id": "report-3", "status": None},
        "last_error": "/w/report.yaml:\n no such file",
    }
    waiting = {
        **NIGHTLY,
        "name": "zone",
        "tz": "Mars/Base",
        "last_slot": None,
        "last_job": None,
        "waiting": [NIGHTLY["last_slot"]],
        "waits_for": "its job report-9 is not over",
    }
    conductor.answers["schedule.list"] = {"schedules": [NIGHTLY, troubled, waiting]}
    nightly, weekly, zone = marianne("schedule", "list").out.splitlines()[1:]
    assert "2026-03-29 03:00:00 CEST  2026-03-28 02:30:00 CET  report-7  completed" in nightly
    assert "paused" in weekly
    assert "cleared" in weekly
    assert "no job at a slot since: /w/report.yaml: no such file" in weekly
    assert "2026-03-29 01:00:00 UTC" in zone
    assert "1 waiting: its job report-9 is not over" in zone
    assert json.loads(marianne("schedule", "list", "--json").out) == [NIGHTLY, troubled, waiting]


def test_an_empty_list_says_how_to_begin(marianne, conductor) -> None:
    conductor.answers["schedule.list"] = {"schedules": []}
    done = marianne("schedule", "list")
    assert (done.code, done.out) == (0, "")
    assert "marianne schedule add" in done.err
    assert marianne("schedule", "list", "--json").out == "[]\n"


@pytest.mark.parametrize(
    ("tz", "leads_to", "says", "zone"),
    [
        ("Europe/Paris", "/usr/share/zoneinfo/Asia/Tokyo", None, "Europe/Paris"),
        (":/usr/share/zoneinfo/Europe/Paris", "/etc/hosts", None, "Europe/Paris"),
        ("", "/usr/share/zoneinfo/Asia/Tokyo", "Europe/Rome", "Asia/Tokyo"),
        ("", "/etc/hosts", "Europe/Rome", "Europe/Rome"),
        ("", "/etc/hosts", None, "UTC"),
    ],
)
def test_the_zone_is_that_of_this_machine(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    tz: str,
    leads_to: str,
    says: str | None,
    zone: str,
) -> None:
    monkeypatch.setenv("TZ", tz)
    (tmp_path / "localtime").symlink_to(leads_to)
    if says is not None:
        (tmp_path / "timezone").write_text(f"{says}\n")
    found = local_zone(str(tmp_path))
    # A distribution may have a zone under several names, one of them a link.
    assert found == zone or Path("/usr/share/zoneinfo", leads_to).resolve().name == found

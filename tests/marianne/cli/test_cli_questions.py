"""Questions to the conductor: what is asked, what is printed, how it exits."""

from __future__ import annotations

import pytest
from cli_fake import Refuse

PROGRESS = {
    "completed": 1,
    "failed": 0,
    "skipped": 0,
    "cancelled": 0,
    "running": 1,
    "pending": 0,
    "total": 2,
}
JOB = {
    "job_id": "wc",
    "name": "wc",
    "status": "running",
    "reason": None,
    "workspace": "/w",
    "config_path": "/wc.yaml",
    "priority": 5,
    "submitted_at": "2026-11-24T08:45:58.000000Z",
    "started_at": "2026-11-24T08:45:58.000000Z",
    "finished_at": None,
    "error": None,
    "progress": PROGRESS,
}
DAEMON = {
    "pid": 7,
    "uptime_seconds": 61.0,
    "running_jobs": 1,
    "total_jobs_active": 1,
    "memory_usage_mb": 40.2,
    "version": "0.1.0",
    "heart_pid": None,
    "ready": True,
    "pressure": "none",
    "disk": {"free_bytes": 1 << 30},
    "home": "/h",
}


def sheet(num: int, name: str, status: str = "completed") -> dict[str, object]:
    return {
        "num": num,
        "name": name,
        "status": status,
        "attempt": 1,
        "instrument": "shell",
        "model": None,
        "exit_code": 0,
        "signal": None,
        "started_at": None,
        "finished_at": None,
        "duration_seconds": None,
        "validations": [],
        "error": None,
        "left_running": [],
    }


def test_status_json_is_what_the_conductor_says(marianne, conductor) -> None:
    status = {**JOB, "sheets": [sheet(1, "a"), sheet(2, "b")]}
    conductor.answers["job.status"] = status
    told = marianne("status", "wc", "--json")
    assert (told.code, told.json) == (0, status)
    assert conductor.params("job.status") == {"job_id": "wc", "sheets": [1, 5_000]}


def test_status_shows_each_sheet_in_a_line(marianne, conductor) -> None:
    conductor.answers["job.status"] = {**JOB, "sheets": [sheet(1, "a"), sheet(2, "b", "running")]}
    told = marianne("status", "wc")
    assert told.code == 0
    assert [line.split()[:3] for line in told.out.splitlines()[-2:]] == [
        ["1", "a", "completed"],
        ["2", "b", "running"],
    ]


def test_a_large_job_is_fetched_page_by_page(marianne, conductor) -> None:
    every = [sheet(num, f"s{num}") for num in range(1, 12_001)]
    progress = {**PROGRESS, "total": 12_000}

    def answer(params):
        first, last = params.get("sheets") or (1, 5_000)
        return {**JOB, "progress": progress, "sheets": every[first - 1 : last]}

    conductor.answers["job.status"] = answer
    told = marianne("status", "wc", "--json")
    assert [row["num"] for row in told.json["sheets"]] == list(range(1, 12_001))
    assert len(conductor.asked) == 3


def test_status_without_a_job_shows_the_conductor_and_active_jobs(marianne, conductor) -> None:
    conductor.answers["daemon.status"] = DAEMON
    conductor.answers["job.list"] = {"jobs": [JOB], "cursor": None, "total": 1}
    told = marianne("status")
    assert told.code == 0
    assert told.out.startswith("conductor 7 ready, up 1m01s, 1 job running\n")
    assert "wc" in told.out
    assert marianne("status", "--json").json == {"conductor": DAEMON, "jobs": [JOB]}


def test_list_goes_on_at_the_cursor_up_to_the_limit(marianne, conductor) -> None:
    def answer(params):
        start = int(params["cursor"] or 0)
        jobs = [{**JOB, "job_id": f"j{n}"} for n in range(start, start + min(params["limit"], 2))]
        return {"jobs": jobs, "cursor": str(start + 2), "total": 100}

    conductor.answers["job.list"] = answer
    told = marianne("list", "--all", "--limit", "5", "--json")
    assert [job["job_id"] for job in told.json] == ["j0", "j1", "j2", "j3", "j4"]
    assert conductor.params("job.list")["all"] is True


def test_an_empty_list_says_so_beside_the_data(marianne, conductor) -> None:
    conductor.answers["job.list"] = {"jobs": [], "cursor": None, "total": 0}
    told = marianne("list")
    assert (told.code, told.out) == (0, "")
    assert "no active jobs" in told.err


def test_list_passes_statuses_on(marianne, conductor) -> None:
    conductor.answers["job.list"] = {"jobs": [], "cursor": None, "total": 0}
    marianne("list", "--status", "failed", "--status", "paused")
    assert conductor.params("job.list")["statuses"] == ["failed", "paused"]


def test_an_unknown_job_exits_4(marianne, conductor) -> None:
    def answer(_params):
        raise Refuse("not_found", "no job 'nope'", "marianne list --all")

    conductor.answers["job.status"] = answer
    told = marianne("status", "nope")
    assert (told.code, told.out) == (4, "")
    assert told.err.splitlines() == ["error: no job 'nope'", "hint:  marianne list --all"]


def test_a_method_that_the_conductor_lacks_is_a_clean_error(marianne, conductor) -> None:
    told = marianne("tree", "--json")
    assert told.code == 1
    assert told.json["error"]["code"] == "unknown_method"
    assert "restart" in told.json["error"]["hint"]


@pytest.mark.parametrize(
    ("answer", "code"), [({"status": "ready"}, 0), ({"status": "not_ready"}, 1)]
)
def test_ready_answers_by_its_exit_code(marianne, conductor, answer, code) -> None:
    conductor.answers["daemon.ready"] = answer
    assert marianne("ready").code == code


def test_conductor_status_names_every_field(marianne, conductor) -> None:
    conductor.answers["daemon.status"] = DAEMON
    told = marianne("conductor-status")
    for piece in ("7", "0.1.0", "1m01s", "40 MiB", "1.0 GiB free"):
        assert piece in told.out
    assert marianne("conductor-status", "--json").json == DAEMON


def test_config_show_lists_values_by_dotted_name_with_their_origin(marianne, conductor) -> None:
    answer = {
        "config": {"log_level": "info", "socket": {"backlog": 5}},
        "origin": {"log_level": "file"},
    }
    conductor.answers["daemon.config"] = answer
    told = marianne("config", "show", "--origin")
    assert told.out.splitlines()[1:] == [
        "log_level       info   file",
        "socket.backlog  5      default",
    ]
    assert marianne("config", "show", "--json").json == answer["config"]
    assert marianne("config", "show", "--origin", "--json").json == answer


def test_the_tree_is_what_the_conductor_says(marianne, conductor) -> None:
    node = {"name": "root", "state": "idle", "restarts": 0, "mailbox": 0, "last_crash": None}
    conductor.answers["daemon.tree"] = nodes = [{**node, "children": []}]
    assert marianne("tree").out == "root  idle\n"
    assert marianne("tree", "--json").json == nodes


@pytest.mark.parametrize(("status", "code"), [("ok", 0), ("ailing", 1)])
def test_health_answers_by_its_exit_code(marianne, conductor, status, code) -> None:
    conductor.answers["daemon.health"] = {"status": status, "uptime_seconds": 1.5}
    told = marianne("health")
    assert (told.code, told.out) == (code, f"status          {status}\nuptime_seconds  1.5\n")
    assert marianne("health", "--json").json["status"] == status


def test_a_list_is_a_row_a_job(marianne, conductor) -> None:
    failed = {**JOB, "job_id": "bad", "status": "failed", "error": "1 sheet\nfailed"}
    conductor.answers["job.list"] = {"jobs": [JOB, failed], "cursor": None, "total": 2}
    lines = marianne("list", "--all", "--limit", "2")
    assert [line.split()[0] for line in lines.out.splitlines()] == ["JOB", "wc", "bad"]
    assert "1 sheet failed" in lines.out
    assert "2 jobs shown" in lines.err


def test_past_events_are_printed_and_end(marianne, conductor) -> None:
    for _ in range(1_500):
        conductor.happen("sheet.started", 1)
    conductor.happen("job.completed")
    assert len(marianne("events", "--json").lines) == 1_501
    assert [e["seq"] for e in marianne("events", "--from", "1500", "--json").lines] == [1500, 1501]


def test_the_events_of_one_job_are_asked_for_by_its_whole_id(marianne, conductor) -> None:
    conductor.answers["job.status"] = {**JOB, "status": "completed", "sheets": []}
    conductor.happen("job.completed")
    conductor.happen("job.completed", job="other")
    for argv in (("events", "w"), ("events", "w", "--follow")):
        told = marianne(*argv)
        assert told.code == 0
        assert len(told.out.splitlines()) == 1
        assert conductor.params("events.since")["job_id"] == "wc"


def test_the_events_of_one_job_have_the_names_of_its_sheets(marianne, conductor) -> None:
    conductor.answers["job.status"] = {**JOB, "sheets": [sheet(1, "fetch"), sheet(2, "count")]}
    conductor.happen("sheet.started", 2)
    assert "sheet 2 count  started" in marianne("events", "wc").out
    assert "sheet 2  started" in marianne("events").out


def test_unavailable_parts_point_to_the_log(marianne, conductor, monkeypatch) -> None:
    monkeypatch.setattr("marianne.cli.session.REQUEST_SECONDS", 0.2)

    def answer(_params):
        raise Refuse("unavailable", "the manager restarts")

    conductor.answers["daemon.status"] = answer
    told = marianne("conductor-status")
    assert told.code == 75
    assert "marianne logs" in told.err


@pytest.mark.parametrize("text", ["soon", "-1", "5 minutes", ""])
def test_a_time_that_is_none_is_a_usage_error(marianne, conductor, text) -> None:
    assert marianne("wait", "wc", f"--timeout={text}").code == 2

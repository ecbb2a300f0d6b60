"""Which jobs and which sheets are meant: what is asked of the conductor for it."""

from __future__ import annotations

from typing import Any

import pytest
from cli_fake import Refuse
from test_cli_questions import DAEMON, JOB, sheet

ACCEPTED = {"job_id": "wc", "status": "accepted", "message": "2 sheets in /w", "warnings": []}


@pytest.fixture
def submitted(marianne, conductor, tmp_path):
    """Runs a score and returns what of it was asked for about sheets."""
    (tmp_path / "wc.yaml").write_text("name: wc\n")
    conductor.answers["job.submit"] = ACCEPTED

    def submit(*options: str) -> dict[str, Any]:
        assert marianne("run", "wc.yaml", *options).code == 0
        params = conductor.params("job.submit")
        names = ("start_sheet", "from_sheet", "until_sheet", "only", "max_concurrent")
        return {name: params[name] for name in names if params[name]}

    return submit


@pytest.mark.parametrize(
    ("options", "asked"),
    [
        ((), {}),
        (("-s", "3"), {"start_sheet": 3}),
        (("--from", "fetch"), {"from_sheet": "fetch"}),
        (
            ("--start-sheet", "fetch", "--until", "count"),
            {"from_sheet": "fetch", "until_sheet": "count"},
        ),
        (("--only", "a, 3", "--only", "7-9"), {"only": ["a", "3", "7-9"]}),
        (("--only", "convert[a,b.csv],c"), {"only": ["convert[a,b.csv]", "c"]}),
        (("-J", "4"), {"max_concurrent": 4}),
        (("--jobs", "2"), {"max_concurrent": 2}),
    ],
)
def test_sheets_are_asked_for_by_name_number_and_range(submitted, options, asked) -> None:
    assert submitted(*options) == asked


def test_what_cannot_be_asked_for_is_a_usage_error(marianne, tmp_path) -> None:
    (tmp_path / "wc.yaml").write_text("name: wc\n")
    for options in (("--only", "a,,b"), ("--only", ""), ("-s", "0"), ("-J", "0")):
        assert marianne("run", "wc.yaml", *options).code == 2
    told = marianne("run", "wc.yaml", "-j", "4")
    assert told.code == 2
    assert "--jobs N" in told.json["error"]["message"], "-j is --json, and stays it"


@pytest.mark.parametrize("verb", ["status", "explain", "errors", "diagnose", "history"])
def test_the_newest_job_of_a_score_is_shown_to_people_and_the_exact_one_to_programs(
    marianne, conductor, verb
) -> None:
    method = f"job.{verb}"
    conductor.answers[method] = lambda _params: 1 / 0
    for options, newest in (((), True), (("--exact",), None), (("--json",), None)):
        marianne(verb, "wc", *options)
        assert conductor.params(method).get("newest") is newest


@pytest.mark.parametrize("verb", ["cancel", "pause", "resume", "retry"])
def test_what_changes_a_job_goes_by_its_id(marianne, conductor, verb) -> None:
    conductor.answers[f"job.{verb}"] = lambda _params: {"jobs": []}
    marianne(verb, "wc", *(["--yes"] if verb == "cancel" else []))
    assert not {"newest"} & set(conductor.params(f"job.{verb}"))


def test_who_cancels_by_the_name_of_a_score_is_told_which_job_that_is(
    marianne, conductor, monkeypatch
) -> None:
    asked: list[str] = []
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("click.confirm", lambda question, **_k: asked.append(question))
    conductor.answers["job.status"] = lambda params: {
        **JOB,
        "job_id": "wc-3" if params.get("newest") and params["job_id"] == "wc" else params["job_id"],
    }
    for job in ("wc", "wc-2"):
        assert marianne("cancel", job).code == 1
    assert asked == [
        "The newest job of wc is wc-3. Cancel wc and end what runs?",
        "Cancel wc-2 and end what runs?",
    ]


def test_wait_all_waits_for_what_is_not_over_now(marianne, conductor) -> None:
    jobs = [{**JOB, "job_id": name} for name in ("b", "a")]
    conductor.answers["job.list"] = {"jobs": jobs, "cursor": None, "total": 2}
    conductor.answers["job.wait"] = lambda params: {
        **JOB,
        "job_id": params["job_id"],
        "status": "completed" if params["job_id"] == "a" else "failed",
    }
    conductor.answers["job.status"] = lambda params: {**JOB, **params, "sheets": []}
    told = marianne("wait", "--all", "--json")
    assert told.code == 1
    assert [job["job_id"] for job in told.json] == ["b", "a"]
    assert conductor.params("job.list")["all"] is False
    conductor.answers["job.list"] = {"jobs": [], "cursor": None, "total": 0}
    assert marianne("wait", "--all", "--json").json == []
    assert marianne("wait", "--all").code == 0
    assert marianne("wait").code == marianne("wait", "a", "--all").code == 2


def test_a_list_of_one_score_goes_by_its_name_or_its_file(marianne, conductor, tmp_path) -> None:
    conductor.answers["job.list"] = {"jobs": [JOB], "cursor": None, "total": 1}
    assert marianne("list", "--score", "wc").code == 0
    params = conductor.params("job.list")
    assert (params["all"], params["score"]) == (True, "wc")
    (tmp_path / "wc.yaml").write_text("name: wc\n")
    assert marianne("list", "--score", "wc.yaml", "--status", "failed").code == 0
    params = conductor.params("job.list")
    assert (params["config_path"], params["statuses"]) == (str(tmp_path / "wc.yaml"), ["failed"])


def test_status_failed_shows_failed_jobs_and_the_failed_sheets_of_one(marianne, conductor) -> None:
    conductor.answers["daemon.status"] = DAEMON
    conductor.answers["job.list"] = {"jobs": [JOB], "cursor": None, "total": 1}
    assert marianne("status", "--failed").code == 0
    assert conductor.params("job.list")["statuses"] == ["failed"]
    sheets = [sheet(1, "a"), sheet(2, "b", "failed")]
    conductor.answers["job.status"] = {**JOB, "sheets": sheets}
    assert [s["num"] for s in marianne("status", "wc", "--failed", "--json").json["sheets"]] == [2]
    assert marianne("status", "--failed", "--watch").code == 2


def test_the_output_of_all_sheets_stands_under_their_names(marianne, conductor) -> None:
    wrote = {1: b"one\n", 2: b"", 3: b"three"}

    def answer(params: dict[str, Any]) -> dict[str, Any]:
        data = wrote[params["sheet"]]
        found = {"job_id": "wc", "sheet": params["sheet"], "attempt": 1, "path": "/x"}
        return {**found, "next_offset": len(data), "size": len(data), "data": data, "ended": True}

    sheets = [sheet(1, "a"), sheet(2, "b"), sheet(3, "c"), {**sheet(4, "d"), "attempt": 0}]
    conductor.answers["job.status"] = {**JOB, "progress": {"total": 4}, "sheets": sheets}
    conductor.answers["job.output"] = answer
    told = marianne("output", "wc", "--all")
    assert told.out == "==> a <==\none\n\n==> b <==\n\n==> c <==\nthree"
    found = marianne("output", "wc", "--all", "--json").json
    assert [(one["sheet"], one["text"]) for one in found] == [(1, "one\n"), (2, ""), (3, "three")]

    def cleared(params: dict[str, Any]) -> dict[str, Any]:
        if params["sheet"] == 2:
            raise Refuse("not_found", "it is gone")
        return answer(params)

    conductor.answers["job.output"] = cleared
    told = marianne("output", "wc", "--all", "--json")
    assert [one.get("text") for one in told.json] == ["one\n", None]
    assert (told.code, told.json[1]["error"]["code"]) == (4, "not_found")
    for more in (("b",), ("--follow",), ("--attempt", "1")):
        assert marianne("output", "wc", *more, "--all").code == 2


def test_a_place_in_the_line_is_changed_alone(marianne, conductor, tmp_path) -> None:
    answer = {"job_id": "wc", "status": "queued", "message": "its priority is 1, it was 5"}
    conductor.answers["job.modify"] = {**answer, "changes": [], "diff": "", "warnings": []}
    told = marianne("modify", "wc", "--priority", "1")
    assert (told.code, told.out) == (0, "wc: its priority is 1, it was 5\n")
    assert conductor.params("job.modify") == {"job_id": "wc", "priority": 1}
    (tmp_path / "wc.yaml").write_text("name: wc\n")
    for more in (("--config", "wc.yaml"), ("--workspace", "w"), ("--dry-run",)):
        assert marianne("modify", "wc", "--priority", "1", *more).code == 2
    assert marianne("modify", "wc").code == 2


def test_groups_are_made_listed_and_removed(marianne, conductor) -> None:
    group = {"name": "gpu", "parallel": 2, "running": 1, "waiting": 0}
    conductor.answers["group.add"] = conductor.answers["group.remove"] = group
    conductor.answers["group.list"] = {"groups": [group]}
    assert marianne("group", "add", "gpu", "--parallel", "2").out == "gpu: 2 at once\n"
    assert conductor.params("group.add") == {"name": "gpu", "parallel": 2}
    assert marianne("group", "list").out.split() == [
        *("GROUP", "PARALLEL", "RUNNING", "WAITING"),
        *("gpu", "2", "1", "0"),
    ]
    assert marianne("group", "list", "--json").json == [group]
    assert marianne("group", "remove", "gpu").out == "gpu: removed\n"
    conductor.answers["group.list"] = {"groups": []}
    assert "marianne group add" in marianne("group", "list").err


def test_a_job_is_put_into_a_group(marianne, conductor, submitted, tmp_path) -> None:
    submitted("--group", "gpu")
    assert conductor.params("job.submit")["group"] == "gpu"
    marianne("add", "--group", "gpu", "--", "true", "x")
    assert conductor.params("job.submit")["group"] == "gpu"
    assert marianne("run", "wc.yaml", "--local", "--group", "gpu").code == 2


def test_a_list_says_what_a_job_waits_for(marianne, conductor) -> None:
    queued = {**JOB, "status": "queued", "reason": "after", "waits_for": ["a", "b"]}
    conductor.answers["job.list"] = {"jobs": [queued], "cursor": None, "total": 1}
    assert "queued (after a, b)" in marianne("list").out
    waits = {"waits_for": [], "begins_at": "2026-11-27T21:00:00.000000Z", "group": "gpu"}
    conductor.answers["job.status"] = {**queued, **waits, "sheets": []}
    told = marianne("status", "wc").out
    assert "queued (at " in told
    assert "gpu" in told
    conductor.answers["job.list"]["jobs"] = [{**queued, "status": "paused", "reason": "person"}]
    assert "paused (person)" in marianne("list").out

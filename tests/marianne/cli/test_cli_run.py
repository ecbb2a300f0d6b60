"""``run``: what is submitted, what is printed, and the job's result as exit code."""

from __future__ import annotations

import io
import json

import pytest
from cli_fake import Refuse
from test_cli_questions import JOB, PROGRESS, sheet

from marianne.instruments.registry import Registry
from marianne.score import load_plan
from marianne.score.preview import preview_plan

ACCEPTED = {
    "job_id": "wc",
    "status": "accepted",
    "message": "2 sheets in /w",
    "warnings": [],
    "plan": None,
}
ENDED = {**JOB, "status": "completed", "finished_at": "2026-11-24T08:45:59.500000Z"}


@pytest.fixture
def score(home, tmp_path):
    path = tmp_path / "wc.yaml"
    path.write_text("name: wc\n")
    return path


def test_run_submits_the_file_and_what_the_options_say(
    marianne, conductor, score, monkeypatch, tmp_path
) -> None:
    monkeypatch.setenv("MARIANNE_JOB_ID", "outer")
    monkeypatch.setenv("MARIANNE_OWNER", "mark")
    monkeypatch.setenv("KEPT", "yes")
    conductor.answers["job.submit"] = ACCEPTED
    told = marianne(
        *("run", "wc.yaml", "--id", "x", "--workspace", "w", "--priority", "2"),
        *("--var", "a=1.10", "--var", "b=", "--fresh", "--start-sheet", "3"),
    )
    assert (told.code, told.out) == (0, "wc: 2 sheets in /w\n")
    params = conductor.params("job.submit")
    environment = params.pop("environment")
    assert environment["KEPT"] == "yes"
    assert not {"MARIANNE_JOB_ID", "MARIANNE_OWNER"} & set(environment)
    assert params == {
        "config_path": str(score),
        "score": None,
        "workspace": "w",
        "client_cwd": str(tmp_path),
        "id": "x",
        "variables": {"a": "1.10", "b": ""},
        "priority": 2,
        "fresh": True,
        "start_sheet": 3,
        "from_sheet": None,
        "until_sheet": None,
        "only": [],
        "max_concurrent": None,
        "executor": None,
        "after": [],
        "after_any": [],
        "at": None,
        "group": None,
        "dry_run": False,
        "self_healing": False,
        "self_healing_auto_confirm": False,
        "chain_depth": None,
    }


def test_a_dash_is_standard_input(marianne, conductor, monkeypatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"name: wc\n")))
    conductor.answers["job.submit"] = ACCEPTED
    assert marianne("run", "-").code == 0
    params = conductor.params("job.submit")
    assert (params["config_path"], params["score"]) == (None, "name: wc\n")


def test_run_json_is_the_response(marianne, conductor, score) -> None:
    conductor.answers["job.submit"] = ACCEPTED
    assert marianne("run", "wc.yaml", "--json").json == ACCEPTED


@pytest.mark.parametrize(("status", "code"), [("completed", 0), ("failed", 1), ("cancelled", 1)])
def test_run_wait_exits_as_the_job_did(marianne, conductor, score, status, code) -> None:
    conductor.answers["job.submit"] = ACCEPTED
    conductor.answers["job.wait"] = {**ENDED, "status": status}
    conductor.answers["job.status"] = {**ENDED, "status": status, "sheets": [sheet(1, "a")]}
    told = marianne("run", "wc.yaml", "--wait")
    assert told.code == code
    assert told.out.startswith(f"wc {status} after 1.50s")


def _whole() -> dict[str, object]:
    return {**ENDED, "sheets": [sheet(1, "fetch"), sheet(2, "count")]}


@pytest.mark.parametrize("argv", [("run", "wc.yaml", "--wait"), ("wait", "wc")], ids=" ".join)
def test_json_of_what_waits_is_the_job_as_status_shows_it(marianne, conductor, score, argv) -> None:
    conductor.answers["job.submit"] = ACCEPTED
    conductor.answers["job.wait"] = ENDED
    conductor.answers["job.status"] = _whole()
    assert marianne(*argv, "--json").json == _whole()


@pytest.mark.parametrize("argv", [("run", "wc.yaml", "-f"), ("wait", "wc", "-f")], ids=" ".join)
def test_json_of_what_follows_ends_with_the_job_as_status_shows_it(
    marianne, conductor, score, argv
) -> None:
    conductor.answers["job.submit"] = ACCEPTED
    conductor.answers["job.status"] = _whole()
    assert marianne(*argv, "--json").lines[-1] == _whole()


def test_json_of_waiting_for_several_jobs_is_a_list_of_them(marianne, conductor) -> None:
    conductor.answers["job.wait"] = ENDED
    conductor.answers["job.status"] = _whole()
    assert marianne("wait", "wc", "wc", "--json").json == [_whole(), _whole()]


@pytest.mark.parametrize("flags", [("--wait",), ("--follow",)])
def test_json_of_a_wait_whose_time_is_up_names_the_job(marianne, conductor, score, flags) -> None:
    conductor.answers["job.submit"] = ACCEPTED
    conductor.answers["job.status"] = {**JOB, "sheets": [sheet(1, "a", "running")]}
    conductor.silent.add("job.wait")
    told = marianne("run", "wc.yaml", *flags, "--timeout", "200ms", "--json")
    assert told.code == 124
    last = told.json if flags == ("--wait",) else told.lines[-1]
    assert (last["job_id"], last["error"]["code"]) == ("wc", "timeout")


def test_json_of_a_wait_for_several_whose_time_is_up_names_them(marianne, conductor) -> None:
    conductor.answers["job.status"] = lambda params: {
        **JOB,
        "job_id": params["job_id"],
        "sheets": [],
    }
    conductor.silent.add("job.wait")
    told = marianne("wait", "a", "b", "--timeout", "200ms", "--json")
    assert told.code == 124
    assert told.json["job_ids"] == ["a", "b"]
    assert "marianne wait a b, or end it: marianne cancel a b" in told.json["error"]["hint"]


def test_who_waits_at_a_terminal_is_told_the_job_at_once(
    marianne, conductor, score, monkeypatch
) -> None:
    conductor.answers["job.submit"] = ACCEPTED
    conductor.answers["job.wait"] = ENDED
    conductor.answers["job.status"] = _whole()
    assert marianne("run", "wc.yaml", "-w").err == ""
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    assert marianne("run", "wc.yaml", "-w").err == "wc: 2 sheets in /w\n"


def test_waiting_goes_on_when_one_slice_of_it_is_over(marianne, conductor, score) -> None:
    answers = [Refuse("unavailable", "the manager restarts"), None]

    def answer(_params):
        if (refusal := answers.pop(0)) is not None:
            raise refusal
        return ENDED

    conductor.answers["job.status"] = JOB
    conductor.answers["job.wait"] = answer
    assert marianne("wait", "wc").code == 0
    assert answers == []


def test_a_failed_job_shows_which_sheet_failed_and_what_it_wrote(
    marianne, conductor, score
) -> None:
    bad = {
        **sheet(2, "count", "failed"),
        "error": {"category": "exit", "code": None, "message": "exit code 3"},
    }
    conductor.answers["job.submit"] = ACCEPTED
    failed = {**ENDED, "status": "failed", "progress": {**PROGRESS, "failed": 1}}
    conductor.answers["job.wait"] = failed
    conductor.answers["job.status"] = {**failed, "sheets": [sheet(1, "a"), bad]}
    conductor.answers["job.output"] = lambda params: {
        "size": 12 if params["stream"] == "err" else 0,
        "data": b"disk is full" if params["stream"] == "err" else b"",
    }
    told = marianne("run", "wc.yaml", "--wait")
    assert told.code == 1
    assert "failed sheet 2 count: exit code 3" in told.out
    assert "disk is full" in told.out
    assert "marianne output wc 2" in told.out


def test_run_follow_prints_a_line_an_event_when_piped(marianne, conductor, score) -> None:
    conductor.answers["job.submit"] = ACCEPTED
    states = [{**JOB, "sheets": [sheet(1, "fetch")]}, {**ENDED, "sheets": [sheet(1, "fetch")]}]
    conductor.answers["job.status"] = lambda _params: (
        states.pop(0) if len(states) > 1 else states[0]
    )

    def since(params):
        if not conductor.events and any(m == "job.status" for m, _ in conductor.asked):
            conductor.happen("job.started")
            conductor.happen("sheet.started", 1, attempt=1)
            conductor.happen("sheet.completed", 1, attempt=1, exit_code=0, duration=0.5)
            conductor.happen("job.completed")
        return conductor._since(params)

    conductor.answers["events.since"] = since
    told = marianne("run", "wc.yaml", "--follow")
    assert told.code == 0, told
    assert [line.split("  ", 1)[1] for line in told.out.splitlines()[:4]] == [
        "job  started",
        "sheet 1 fetch  started",
        "sheet 1 fetch  completed  0.50s",
        "job  completed",
    ]
    assert told.out.splitlines()[-1].startswith("wc completed")


@pytest.mark.parametrize("verb", [("run", "wc.yaml", "--follow"), ("events", "wc", "--follow")])
def test_a_follower_knows_the_names_of_what_a_list_has_made(
    marianne, conductor, score, verb: tuple[str, ...]
) -> None:
    few, many = [sheet(1, "make")], [sheet(1, "make"), sheet(2, "make[a]")]
    conductor.answers["job.submit"] = ACCEPTED
    conductor.answers["job.status"] = lambda _params: (
        {**ENDED, "sheets": many} if conductor.events else {**JOB, "sheets": few}
    )

    def since(params):
        if not conductor.events and any(m == "job.status" for m, _ in conductor.asked):
            conductor.happen("sheet.listed", 1, items=1, added=1)
            conductor.happen("sheet.started", 2, attempt=1)
            conductor.happen("job.completed")
        return conductor._since(params)

    conductor.answers["events.since"] = since
    assert "sheet 2 make[a]  started" in marianne(*verb).out


def test_a_dry_run_shows_the_sheets(marianne, conductor, score) -> None:
    text = """
        name: wc
        sheets:
          - {name: fetch, run: "seq {{ n }}", variables: {n: 3}}
          - {name: count, needs: [fetch], run: wc, timeout: 5m, validate: [{file_exists: f}]}
    """
    builtin = Registry.load()
    loaded = load_plan(None, text, base_dir="/w", workspace=None, variables={}, instruments=builtin)
    plan = preview_plan(loaded, limit=700)
    conductor.answers["job.submit"] = {**ACCEPTED, "job_id": "", "plan": plan}
    told = marianne("run", "wc.yaml", "--dry-run")
    assert told.code == 0
    lines = told.out.splitlines()
    assert lines[0] == "wc: 2 sheets; dry run, nothing was started"
    assert "  1  fetch  shell" in lines
    assert "     | seq 3" in lines
    assert lines[-1] == "and 1 more, which marianne validate --render shows"
    conductor.answers["job.submit"]["plan"] = preview_plan(loaded, left_out={1})
    told = marianne("run", "wc.yaml", "--dry-run", "--start-sheet", "2")
    assert "     skipped      it was not asked for" in told.out
    assert "  2  count  shell  after 1 fetch" in told.out
    assert "     time limit   5m00s" in told.out
    assert "     check        the file f exists" in told.out
    assert conductor.params("job.submit")["dry_run"] is True


def test_pressure_exits_75_at_once(marianne, conductor, score) -> None:
    def answer(_params):
        raise Refuse("pressure", "memory is at 97 %", "try again later")

    conductor.answers["job.submit"] = answer
    told = marianne("run", "wc.yaml")
    assert told.code == 75
    assert len(conductor.asked) == 1


def test_an_invalid_score_exits_2_with_its_problems(marianne, conductor, score) -> None:
    problem = {"file": "wc.yaml", "line": 1, "column": 1, "path": "", "message": "no sheets"}
    data = {"problems": [{**problem, "hint": None}]}

    def answer(_params):
        raise Refuse("invalid_score", "wc.yaml:1:1: no sheets", "marianne validate", data)

    conductor.answers["job.submit"] = answer
    told = marianne("run", "wc.yaml")
    assert told.code == 2
    assert told.err.count("no sheets") == 1
    seen = marianne("run", "wc.yaml", "--json").json
    assert seen["error"]["problems"] == data["problems"]


def test_warnings_go_to_standard_error(marianne, conductor, score) -> None:
    conductor.answers["job.submit"] = {**ACCEPTED, "warnings": ["the workspace is shared"]}
    told = marianne("run", "wc.yaml", "--json")
    assert "the workspace is shared" in told.err
    assert told.json["job_id"] == "wc"


@pytest.mark.parametrize("argv", [("nope.yaml",), (".",), ("wc.yaml", "--var", "no-equals")])
def test_what_cannot_be_a_score_is_never_sent(marianne, conductor, score, argv) -> None:
    assert marianne("run", *argv).code == 2
    assert conductor.asked == []


def test_no_start_refuses_when_no_conductor_runs(marianne, score) -> None:
    told = marianne("run", "wc.yaml", "--no-start")
    assert told.code == 3


def test_a_conductor_that_stops_is_replaced_and_the_job_submitted_once(
    marianne, conductor, score, monkeypatch
) -> None:
    refusals = [Refuse("shutting_down", "the conductor is stopping")]

    def answer(_params):
        if refusals:
            raise refusals.pop()
        return ACCEPTED

    conductor.answers["job.submit"] = answer
    ended: list[int | None] = []
    monkeypatch.setattr("marianne.cli.leaving.wait_for_exit", lambda pid, _until: ended.append(pid))
    told = marianne("run", "wc.yaml")
    assert told.code == 0
    assert ended == [conductor.home.holder()]


def test_with_no_start_a_conductor_that_stops_is_try_again_later(
    marianne, conductor, score
) -> None:
    def answer(_params):
        raise Refuse("shutting_down", "the conductor is stopping")

    conductor.answers["job.submit"] = answer
    assert marianne("run", "wc.yaml", "--no-start").code == 75


def test_waiting_for_several_jobs_fails_at_once_for_an_unknown_one(marianne, conductor) -> None:
    def answer(params):
        if params["job_id"] == "nope":
            raise Refuse("not_found", "no job 'nope'")
        return JOB

    conductor.answers["job.status"] = answer
    assert marianne("wait", "wc", "nope").code == 4
    assert "job.wait" not in [method for method, _ in conductor.asked]


@pytest.mark.parametrize("how", ["--wait", "--follow"])
def test_a_job_that_was_taken_in_is_named_where_the_conductor_ends_meanwhile(
    marianne, conductor, score, how
) -> None:
    """Else a script could only run it again."""

    def gone(_params: object) -> None:
        raise Refuse("no_conductor", "the conductor has stopped")

    conductor.answers |= {"job.submit": ACCEPTED, "job.wait": gone, "job.status": gone}
    told = marianne("run", "wc.yaml", how)
    assert told.code == 3
    assert "the conductor has stopped; wc goes on when one runs again" in told.err
    assert "marianne wait wc" in told.err
    told = marianne("run", "wc.yaml", how, "--json")
    assert json.loads(told.out.splitlines()[-1])["job_id"] == "wc"

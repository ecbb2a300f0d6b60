"""What the manager decides by, each alone: a new job, another plan, memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from handler_stage import Desk, desk_in

from marianne.daemon.jobs import plan_diff, submission
from marianne.daemon.jobs.memory import MemoryRoom, Size
from marianne.daemon.jobs.roster import Live, Roster
from marianne.daemon.shared.fired import Fired
from marianne.daemon.shared.parsed import Parsed
from marianne.daemon.shared.refusal import Refused
from marianne.daemon.types import JobRequest
from marianne.model.plan import Instrument, ListSource, Plan, Prompt, SheetPlan
from marianne.schedule.pressure import ResourceEstimate
from marianne.state.changes import AddEvent, InsertJob, UpdateJob
from marianne.state.models import JobRow, JobStatus, SheetRow, SheetStatus


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with desk_in(tmp_path) as desk:
        yield desk


# -- a submission -------------------------------------------------------------------------------


def parsed(**fields: Any) -> Parsed:
    values = {"name": "A score", "workspace": "/w", "sheet_count": 2, "config_hash": "hash"}
    return Parsed(**{**values, "score": "x", "plan": b"plan", **fields})


def request(**fields: Any) -> JobRequest:
    return JobRequest.model_validate({"score": "x", "client_cwd": "/client", **fields})


def test_relative_paths_of_a_request_are_the_clients(desk: Desk) -> None:
    found = submission.parse_request(
        request(config_path="sub/a.yaml", workspace="out", environment={"PATH": "/bin"}),
        desk.home,
    )
    assert (found.path, found.base_dir) == ("/client/sub/a.yaml", "/client/sub")
    assert found.workspace == "/client/out"
    assert found.search_path == "/bin"
    text = submission.parse_request(request(), desk.home)
    assert (text.path, text.base_dir, text.workspace) == (None, "/client", None)
    assert submission.config_path(request()) is None


def test_an_id_is_made_of_the_scores_name_and_was_never_in_use(desk: Desk) -> None:
    def chosen(**asked: Any) -> str:
        return submission.choose_id(
            request(**asked), parsed(), Roster(), desk.reader, {"A-score-2"}
        )

    assert chosen() == "A-score"
    desk.insert("A-score", status=JobStatus.FAILED)
    assert chosen() == "A-score-3"
    assert chosen(id="mine") == "mine"
    for taken in ("A-score", "A-score-2"):
        with pytest.raises(Refused, match="never used again"):
            chosen(id=taken)
    with pytest.raises(Refused, match="cannot be a job id"):
        chosen(id="../x")


@pytest.mark.parametrize("state", [status for status in JobStatus if not status.terminal])
def test_the_same_work_in_the_same_directory_is_refused_while_it_is_not_over(
    desk: Desk, state: JobStatus
) -> None:
    live = first_of(desk, state)
    asked = request(config_path="a.yaml", variables={"file": "a"})
    with pytest.raises(Refused, match=f"does the same in /w .* first is {state}") as refused:
        submission.choose_id(asked, parsed(), live, desk.reader, ())
    assert refused.value.code == "conflict"
    assert refused.value.data == {"job_id": "first", "status": str(state)}
    for way in ("--id NEW", "--workspace", "marianne ", "--after first"):
        assert way in str(refused.value.hint)
    beside = request(config_path="a.yaml", variables={"file": "a"}, id="beside")
    assert submission.choose_id(beside, parsed(), live, desk.reader, ()) == "beside"
    found = submission.choose_id(asked, parsed(), live, desk.reader, (), None, ["first"])
    assert found == "A-score", "it begins when that one is over"


def first_of(desk: Desk, state: JobStatus, **options: Any) -> Roster:
    """A roster with a job of the client's a.yaml in it, with the variable ``file`` a."""
    row = JobRow("first", "A score", state, "/w", 1.0, 1, config_path="/client/a.yaml")
    row.options = {"variables": {"file": "a"}, **options}
    desk.write(InsertJob(row, b"", "", b""))
    live = Roster()
    live["first"] = Live(row)
    return live


OTHER_WORK = [
    (request(config_path="a.yaml", variables={"file": "b"}), parsed()),
    (request(config_path="a.yaml"), parsed()),
    (request(config_path="a.yaml", variables={"file": "a"}), parsed(workspace="/elsewhere")),
    (request(config_path="b.yaml", variables={"file": "a"}), parsed()),
    (request(variables={"file": "a"}), parsed()),
]


@pytest.mark.parametrize(("asked", "score"), OTHER_WORK)
def test_other_variables_another_workspace_or_another_file_make_another_job(
    desk: Desk, asked: JobRequest, score: Parsed
) -> None:
    live = first_of(desk, JobStatus.RUNNING)
    assert submission.choose_id(asked, score, live, desk.reader, ()) == "A-score"


@pytest.mark.parametrize("asked", [asked for asked, _score in OTHER_WORK[:3]])
def test_a_single_score_has_one_job_at_a_time(desk: Desk, asked: JobRequest) -> None:
    live = first_of(desk, JobStatus.PAUSED)
    score = parsed(single=True, workspace="/elsewhere")
    with pytest.raises(Refused, match="single: true") as refused:
        submission.choose_id(asked, score, live, desk.reader, ())
    assert "marianne resume first" in str(refused.value.hint)
    fired = Fired("nightly", 1.0)
    assert submission.choose_id(asked, score, live, desk.reader, (), fired) == "A-score"


def test_who_is_told_that_a_job_is_over_may_run_its_score_again(desk: Desk) -> None:
    """Its row on disk counts: in memory it may still be about to be put away."""
    live = first_of(desk, JobStatus.RUNNING)
    desk.write(UpdateJob("first", {"status": JobStatus.FAILED}))
    asked = request(config_path="a.yaml", variables={"file": "a"})
    assert submission.choose_id(asked, parsed(), live, desk.reader, ()) == "A-score"


def test_what_a_request_asks_for_in_vain_is_said() -> None:
    after = {"on_success": [{}], "concert": {}}
    made = submission.as_asked(request(hooks=False, self_healing=True), parsed(after=after))
    assert made.after == {}
    assert [line.partition(":")[0] for line in made.warnings] == ["self_healing", "on_success"]
    unchanged = parsed(after=after)
    assert submission.as_asked(request(), unchanged) is unchanged


def test_a_first_sheet_is_one_that_there_is() -> None:
    submission.check_sheets(request(start_sheet=2), parsed())
    with pytest.raises(Refused, match="no sheet 3 to start with"):
        submission.check_sheets(request(start_sheet=3), parsed())


def working_in(workspace: str, **options: Any) -> Roster:
    live = Roster()
    row = JobRow("other", "other", JobStatus.RUNNING, workspace, 1.0, 1, options=options)
    live["other"] = Live(row)
    return live


@pytest.mark.parametrize("place", ["/w", "/w/below", "/"])
def test_nothing_is_moved_away_under_a_job_that_is_not_over(place: str) -> None:
    fresh, archives = request(fresh=True), parsed(archives=True)
    with pytest.raises(Refused, match="moves what is there away"):
        submission.check_workspace(fresh, archives, working_in(place))
    with pytest.raises(Refused, match="moves what is there away"):
        submission.check_workspace(request(), parsed(), working_in(place, archives=True))
    assert submission.check_workspace(fresh, archives, working_in("/w-2")) == []
    for asked, score in ((fresh, parsed()), (request(), archives)):
        assert len(submission.check_workspace(asked, score, working_in("/w"))) == 1


def test_a_directory_that_is_shared_is_warned_of() -> None:
    (line,) = submission.check_workspace(request(), parsed(), working_in("/w"))
    assert not submission.check_workspace(request(shared=True), parsed(), working_in("/w"))
    assert not submission.check_workspace(request(), parsed(), working_in("/w"), ["other"])
    assert "other works in the same directory: /w" in line


def test_a_new_job_is_a_row_and_the_event_that_says_so() -> None:
    asked = request(priority=2, variables={"a": "b"}, chain_depth=1)
    row = submission.new_row("a", asked, parsed(), 5.0)
    assert (row.status, row.priority, row.submitted_at) == (JobStatus.QUEUED, 2, 5.0)
    assert (row.options["variables"], row.options["chain_depth"]) == ({"a": "b"}, 1)
    assert not row.options["fresh"]
    assert "hooks" not in row.options
    assert not submission.new_row("a", request(hooks=False), parsed(), 5.0).options["hooks"]
    assert submission.new_row("a", request(fresh=True), parsed(), 5.0).options["fresh"]
    insert, event = submission.changes(row, parsed(), b"env", 5.0)
    assert isinstance(insert, InsertJob)
    assert isinstance(event, AddEvent)
    assert (event.event, event.job_id) == ("job.submitted", "a")
    assert submission.response(row, [])["message"] == "2 sheets in /w"
    row.status = JobStatus.PENDING
    waits = submission.response(row, ["careful"], "it waits")
    assert (waits["status"], waits["warnings"]) == ("pending", ["careful"])
    assert submission.dry_run_response(parsed(sheet_count=1))["message"].startswith(
        "dry run: 1 sheet "
    )


# -- another plan -------------------------------------------------------------------------------


def plan(*names: str, **fields: Any) -> Plan:
    sheets = tuple(
        SheetPlan(num, name, num, Instrument("shell"), Prompt(name))
        for num, name in enumerate(names, 1)
    )
    return Plan("job", "/w", sheets, total_stages=len(sheets), **fields)


def rows(*found: SheetRow) -> dict[int, SheetRow]:
    return {row.num: row for row in found}


DONE = SheetRow(1, SheetStatus.COMPLETED, attempt=1)


def test_what_is_completed_or_runs_keeps_its_place_in_another_plan() -> None:
    plan_diff.check_kept(plan("a", "b"), plan("a", "other"), rows(DONE), "job")
    for kept in (SheetStatus.COMPLETED, SheetStatus.RUNNING):
        with pytest.raises(Refused, match=f"sheet 1 .a. of job is {kept}"):
            plan_diff.check_kept(plan("a"), plan("b"), rows(SheetRow(1, kept)), "job")
    plan_diff.check_kept(plan("a"), plan("b"), rows(SheetRow(1, SheetStatus.FAILED)), "job")


def test_a_completed_sheet_becomes_no_list_and_a_completed_list_no_sheet() -> None:
    """Else what the new score wants of its items would never be done, and the job be completed."""
    plain = plan("a", "b")
    lists = replace(plain, lists={1: ListSource("glob", plain.sheet(1), 10)})
    for old, new in ((plain, lists), (lists, plain)):
        with pytest.raises(Refused, match=r"sheet 1 \(a.*\) of job is completed"):
            plan_diff.check_kept(old, new, rows(DONE), "job")
        plan_diff.check_kept(old, new, rows(SheetRow(1, SheetStatus.FAILED)), "job")
    plan_diff.check_kept(lists, lists, rows(DONE), "job")


def test_what_differs_names_a_list_whose_items_become_something_else() -> None:
    old = plan("a", "b")
    item = replace(old.sheet(1), timeout_seconds=5.0)
    old, new = (
        replace(old, lists={1: ListSource("glob", each, 10)}) for each in (old.sheet(1), item)
    )
    (told,) = plan_diff.changes_of(old, new, {})
    assert (told["sheet"], told["change"], told["fields"]) == (1, "changed", ["each"])
    assert plan_diff.changes_of(old, old, {}) == []


def test_what_is_not_completed_begins_anew_and_no_number_is_used_twice() -> None:
    failed = SheetRow(2, SheetStatus.FAILED, attempt=4, failures=3, message="broken")
    found = plan_diff.replan(plan("a", "b"), plan("a", "b", "c"), rows(DONE, failed), {3: 7})
    assert found.saves == (SheetRow(2, attempt=4), SheetRow(3, attempt=7))
    assert (found.drop_from, found.left) == (None, 2)


def test_sheets_that_a_shorter_plan_has_not_are_dropped() -> None:
    gone = SheetRow(2, SheetStatus.FAILED, attempt=1)
    found = plan_diff.replan(plan("a", "b"), plan("a"), rows(DONE, gone), {})
    assert found == plan_diff.Replanned((), 2, 0)


def test_a_sheet_that_its_condition_skipped_stays_skipped_while_it_is_the_same() -> None:
    skipped = SheetRow(1, SheetStatus.SKIPPED, category="skip_condition")
    assert plan_diff.replan(plan("a"), plan("a"), rows(skipped), {}).left == 0
    assert plan_diff.replan(plan("a"), plan("b"), rows(skipped), {}).left == 1
    needed = SheetRow(1, SheetStatus.SKIPPED, category="dependency")
    assert plan_diff.replan(plan("a"), plan("a"), rows(needed), {}).left == 1


def test_what_was_not_asked_for_stays_left_out_by_its_name_whatever_the_new_plan_says() -> None:
    old, new = plan("a", "b", "deploy"), plan("first", "a", "other", "deploy")
    options = {"left_out": [[1, 1], [3, 3]]}
    out = plan_diff.still_left_out(old, new, options)
    assert out == {2, 4}
    skipped = [
        SheetRow(num, SheetStatus.SKIPPED, category="skip_condition", message="not asked for")
        for num in (1, 3)
    ]
    found = plan_diff.replan(old, new, rows(*skipped, SheetRow(2, SheetStatus.FAILED, 1)), {}, out)
    last = {row.num: row for row in found.saves}
    assert {num: row.status for num, row in last.items()} == {
        1: SheetStatus.PENDING,
        2: SheetStatus.SKIPPED,
        3: SheetStatus.PENDING,
        4: SheetStatus.SKIPPED,
    }
    assert last[2].satisfied, "those that need it count on it"
    assert found.left == 2, "first and other"


def test_where_two_sheets_have_one_name_the_one_that_was_asked_for_is_not_left_out() -> None:
    twice = plan("review", "build", "review")
    assert plan_diff.still_left_out(twice, twice, {"left_out": [[1, 2]]}) == {1, 2}


def test_what_ran_for_the_end_of_a_sheet_runs_for_its_next_one_too() -> None:
    whole = plan("a", "b", "tidy", "after", "other")
    needs: dict[int, tuple[int, ...]] = {1: (), 2: (), 3: (1, 2), 4: (3,), 5: (1,)}
    sheets = [replace(sheet, needs=needs[sheet.num]) for sheet in whole.sheets]
    for num in (3, 5):
        sheets[num - 1] = replace(sheets[num - 1], when="always")
    whole = replace(whole, sheets=tuple(sheets))
    done = [SheetRow(num, SheetStatus.COMPLETED, attempt=1) for num in (1, 3, 4, 5)]
    failed = SheetRow(2, SheetStatus.FAILED, attempt=1)
    found = plan_diff.replan(whole, whole, rows(*done, failed), {})
    assert [row.num for row in found.saves] == [2, 3, 4]
    assert found.left == 3


def test_what_differs_is_told_sheet_by_sheet() -> None:
    found = plan_diff.changes_of(
        plan("a", "b", "c"), plan("a", "other", max_concurrent=2), rows(DONE)
    )
    told = [(entry["sheet"], entry["change"], entry["fields"]) for entry in found]
    assert told == [
        (None, "changed", ["max_concurrent"]),
        (2, "changed", ["name", "prompt"]),
        (3, "removed", []),
    ]
    (added,) = plan_diff.changes_of(plan(), plan("a"), rows(DONE))
    assert (added["name"], added["change"], added["kept"]) == ("a", "added", True)


def test_a_difference_of_texts_hides_credentials_and_says_what_it_cuts_off() -> None:
    secret = "sk-abcdefghijklmnopqrstuvwx1234"
    told = plan_diff.text_diff("a: 1\n", f"a: {secret}\n")
    assert "-a: 1" in told
    assert secret not in told
    long = plan_diff.text_diff("", "line\n" * (plan_diff.DIFF_LINES + 50))
    assert long.splitlines()[-1].endswith("more lines)")
    assert len(long.splitlines()) == plan_diff.DIFF_LINES + 1


# -- memory -------------------------------------------------------------------------------------


class House:
    """What is known of jobs' memory, and what the monitor reads; the limit is 1,000 MB."""

    def __init__(self, **estimates: ResourceEstimate) -> None:
        self.asked: list[str] = []
        self.context: Any = SimpleNamespace(
            backpressure=SimpleNamespace(estimate_job_resource_needs=self._estimate),
            resources=SimpleNamespace(
                by_job={}, current_memory_mb=lambda: 100.0, max_memory_mb=1_000
            ),
        )
        self._estimates = estimates
        self.memory = MemoryRoom(self.context)

    async def _estimate(self, config_hash: str) -> ResourceEstimate | None:
        self.asked.append(config_hash)
        return self._estimates.get(config_hash)


def job(config_hash: str) -> JobRow:
    return JobRow("a", "a", JobStatus.QUEUED, "/w", 1.0, 1, config_hash=config_hash)


def test_an_estimate_is_asked_for_once_for_each_configuration() -> None:
    house, size = House(known=ResourceEstimate(300.0, 1.0, 0.9)), Size()
    for _ in range(2):
        assert house.memory.size(job("known"), size).needs_mb == 300.0
    assert house.memory.size(job("unknown"), size).needs_mb is None
    assert house.asked == ["known", "unknown"]


def test_running_jobs_keep_what_they_are_expected_to_use_yet() -> None:
    house = House(known=ResourceEstimate(300.0, 1.0, 0.9))
    house.context.resources.by_job = {"a": 50.0}
    room = house.memory.room(3, [(job("known"), Size())])
    assert (room.places, room.running) == (3, 1)
    assert room.free_mb == pytest.approx(0.8 * 1_000 - 100 - 250)
    house.context.resources.by_job = {"a": 900.0}
    assert house.memory.room(3, [(job("known"), Size())]).free_mb == pytest.approx(700)


def test_why_a_job_waits_for_memory_is_said_in_numbers() -> None:
    house, size = House(known=ResourceEstimate(900.0, 1.0, 0.9)), Size()
    why = house.memory.why(job("known"), size, house.memory.room(1, []))
    assert "900 MB" in why["text"]
    data = why["data"]
    assert (data["needs_mb"], data["free_mb"], data["limit_mb"]) == (900, 700, 1_000)
    assert house.memory.why(job("unknown"), Size(), house.memory.room(1, []))["data"] == {}

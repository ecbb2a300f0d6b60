"""The actor of a job that came back, before its worker was heard."""

from __future__ import annotations

from pathlib import Path

import pytest
from judgement_stage import Stage

from actors.testing import Simulation
from marianne.daemon.job.actor import Job
from marianne.daemon.monitor import ResourceSnapshot
from marianne.daemon.services.scheduler import SchedulerActor
from marianne.daemon.shared.refusal import Refused
from marianne.model.plan import Instrument, Plan, Prompt, SheetPlan
from marianne.model.result import AttemptResult
from marianne.run.spool import Spool
from marianne.schedule.entries import SheetInfo
from marianne.score.pack import pack_plan
from marianne.state.changes import AddAttempt, InsertJob, SaveSheet, UpdateJob
from marianne.state.database import Database
from marianne.state.models import JobRow, JobStatus, SheetRow, SheetStatus

SHELL = Instrument("shell")
PLAN = Plan(
    "job",
    "/w",
    tuple(SheetPlan(num, f"s{num}", num, SHELL, Prompt("true")) for num in (1, 2)),
    total_stages=1,
)


class Back:
    """A job with two sheets; the first one's start and end are known to its worker's spool alone.

    The conductor died between telling the worker and committing the start.
    """

    def __init__(self, sim: Simulation, place: Path) -> None:
        self.sim, self.stage = sim, Stage(sim, place)
        home = self.stage.context.home
        with Database(home.db) as database:
            row = JobRow("job", "job", JobStatus.RUNNING, "/w", 1.0, 2)
            database.write([InsertJob(row, pack_plan(PLAN), "", b"\x80")])
        self.spool = home.job_dir("job") / "spool"
        self.spool.parent.mkdir(parents=True)
        spool = Spool(str(self.spool))
        spool.append(AttemptResult(1, 1, "completed", 1.0, 2.0, exit_code=0).to_map())
        spool.close()
        self.stage.ears("store", "scheduler", "manager", "rates", "learning", "job:job/worker")
        context = self.stage.context
        self.job = sim.system.spawn(Job, context, "job", name="job:job/job")
        sim.quiet()

    def cancel(self) -> str:
        answer = self.job.call(Job.cancel, "request")
        self.sim.quiet()
        return str(answer.value()["status"])

    def written(self) -> tuple[dict[int, str], str, int]:
        """The sheets and the job as they were written last, and how many attempts."""
        changes = [one for args in self.stage.heard("store", "write") for one in args[0]]
        sheets = {c.row.num: str(c.row.status) for c in changes if isinstance(c, SaveSheet)}
        told = [c.fields["status"] for c in changes if isinstance(c, UpdateJob)]
        return sheets, str(told[-1]), sum(isinstance(c, AddAttempt) for c in changes)


def test_a_cancel_before_the_worker_is_heard_counts_what_is_finished(tmp_path: Path) -> None:
    with Simulation() as sim:
        back = Back(sim, tmp_path)
        assert back.cancel() == "cancelled"
        assert back.written() == ({1: "completed", 2: "cancelled"}, "cancelled", 1)


def test_a_cancel_waits_for_a_spool_that_cannot_be_read_just_now(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Simulation() as sim:
        back = Back(sim, tmp_path)
        with monkeypatch.context() as broken:
            broken.setattr("marianne.run.spool._read", _eio)
            with pytest.raises(Refused) as refused:
                back.cancel()
        assert refused.value.code == "unavailable"
        assert back.cancel() == "cancelled"
        assert back.written()[0] == {1: "completed", 2: "cancelled"}


def test_pressure_takes_no_pause_over_from_a_person(tmp_path: Path) -> None:
    """What pauses for pressure goes on by itself; what a person has paused does not."""
    with Simulation() as sim:
        back = Back(sim, tmp_path)
        back.job.call(Job.pause, "person")
        back.job.tell(Job.press)
        back.job.tell(Job.relieve)
        sim.quiet()
        assert back.job.ask(Job.summary)["reason"] == "person"
        assert back.written()[1] == "pausing"


@pytest.mark.parametrize("status", [JobStatus.CANCELLING, JobStatus.PAUSING])
def test_a_job_of_which_no_process_is_left_holds_no_slot(tmp_path: Path, status: JobStatus) -> None:
    """Its worker died before it had begun what it was granted: no result will ever tell its end."""
    with Simulation() as sim:
        stage = Stage(sim, tmp_path)
        with Database(stage.context.home.db) as database:
            row = JobRow("job", "job", status, "/w", 1.0, 2)
            database.write([InsertJob(row, pack_plan(PLAN), "", b"\x80")])
            database.write([SaveSheet("job", SheetRow(1, SheetStatus.RUNNING, 1, started_at=1.0))])
        stage.ears("store", "manager", "rates", "learning", "job:job/worker")
        scheduler = sim.system.spawn(SchedulerActor, stage.context, name="scheduler")
        infos = [SheetInfo("job", 1), SheetInfo("job", 2)]
        scheduler.ask(SchedulerActor.register_job, "job", infos, running=[1])
        scheduler.ask(SchedulerActor.deregister_job, "job")
        job = sim.system.spawn(Job, stage.context, "job", name="job:job/job")
        sim.quiet()
        job.tell(Job.worker_up, {"unacked": [], "running": []}, job.incarnation)
        sim.quiet()
        assert not job.alive
        assert scheduler.ask(SchedulerActor.get_stats).active == 0


@pytest.mark.parametrize("pressed", [False, True])
def test_a_pause_for_a_pressure_that_ended_meanwhile_is_taken_back(
    tmp_path: Path, pressed: bool
) -> None:
    """The conductor died of the pressure, say: who would tell of its end tells it now, before the
    job's actor is there to hear."""
    with Simulation() as sim:
        stage = Stage(sim, tmp_path)
        with Database(stage.context.home.db) as database:
            row = JobRow("job", "job", JobStatus.PAUSING, "/w", 1.0, 2, reason="pressure")
            database.write([InsertJob(row, pack_plan(PLAN), "", b"\x80")])
            database.write([SaveSheet("job", SheetRow(1, SheetStatus.RUNNING, 1, started_at=1.0))])
        used = 990.0 if pressed else 10.0
        stage.context.resources.snapshot = ResourceSnapshot(0.0, used, 1, 0, 0)
        stage.ears("store", "scheduler", "manager", "rates", "learning", "job:job/worker")
        job = sim.system.spawn(Job, stage.context, "job", name="job:job/job")
        job.tell(Job.worker_up, {"unacked": [], "running": [[1, 1]]}, job.incarnation)
        sim.quiet()
        *_, (_, sheets, _) = stage.heard("scheduler", "register_job")
        assert [sheet.sheet_num for sheet in sheets] == ([1] if pressed else [1, 2])


def test_who_pauses_a_job_that_has_just_paused_for_pressure_asks_again(tmp_path: Path) -> None:
    """Then it is a row, and its pause a person's."""
    with Simulation() as sim:
        back = Back(sim, tmp_path)
        back.job.tell(Job.worker_up, {"unacked": ()}, back.job.incarnation)
        back.job.tell(Job.press)
        asked = back.job.call(Job.pause, "person", "request")
        sim.quiet()
        with pytest.raises(Refused) as refused:
            asked.value()
        assert refused.value.code == "unavailable"


def test_an_answer_to_the_incarnation_before_is_none(tmp_path: Path) -> None:
    """Two answers, say, of which the second was said before the worker heard of what was begun by
    the first: that would be taken for lost, and the worker runs it."""
    with Simulation() as sim:
        back = Back(sim, tmp_path)
        hello = {"unacked": [], "running": []}
        back.job.tell(Job.worker_up, hello, back.job.incarnation)
        ticket = back.job.incarnation, 1
        back.job.tell(Job.granted, [2], [], 1, ticket)
        back.job.tell(Job.worker_up, hello, back.job.incarnation - 1)
        back.job.tell(Job.granted, [2], [], 1, ticket)
        sim.quiet()
        runs = [run for args in back.stage.heard("job:job/worker", "run") for run in args[0]]
        assert [(run.num, run.attempt) for run in runs] == [(2, 1)]


def test_a_job_that_is_being_put_away_is_cancelled_when_it_is(tmp_path: Path) -> None:
    """Its worker ends: what runs after a cancel would be granted to nobody."""
    with Simulation() as sim:
        back = Back(sim, tmp_path)
        back.job.tell(Job.worker_up, {"unacked": [], "running": []}, back.job.incarnation)
        back.job.call(Job.pause, "person")
        with pytest.raises(Refused) as refused:
            back.cancel()
        assert refused.value.code == "unavailable"
        assert not back.job.alive


def _eio(path: str) -> bytes:
    raise OSError(5, "Input/output error", path)


@pytest.mark.parametrize("ticket", [(0, 1), (1, 1), None], ids=["older", "earlier", "none"])
def test_what_an_earlier_registration_was_granted_is_void(
    tmp_path: Path, ticket: tuple[int, int] | None
) -> None:
    """The scheduler has taken its slot back by then, and gives it to another job, say."""
    with Simulation() as sim:
        back = Back(sim, tmp_path)
        hello = {"unacked": [], "running": []}
        mine = back.job.incarnation
        for _ in range(2):
            back.job.tell(Job.worker_up, hello, mine)
        void = None if ticket is None else (mine - 1 + ticket[0], ticket[1])
        back.job.tell(Job.granted, [2], [], 1, void)
        sim.quiet()
        assert not back.stage.heard("job:job/worker", "run")
        back.job.tell(Job.granted, [2], [], 1, (mine, 2))
        sim.quiet()
        assert back.stage.heard("job:job/worker", "run")


def test_what_an_earlier_conductor_had_stand_still_goes_on_where_this_one_has_no_groups(
    tmp_path: Path,
) -> None:
    """Its control groups may be gone for a moment, or for good: the worker has its own."""
    with Simulation() as sim:
        back = Back(sim, tmp_path)
        back.job.tell(
            Job.worker_up, {"unacked": [], "running": [[2, 1]], "held": True}, back.job.incarnation
        )
        sim.quiet()
        assert back.stage.heard("job:job/worker", "hold") == [(False,)]

"""A walk: one or two jobs, the scheduler of both, and everything that may come in between.

Real: JobMachine, Execution, Dispatch, SchedulerActor with its queue, Outbox.
Stand-ins: mailboxes and timers (``crossing_mail.py``), the worker's actor and process
(``crossing_worker.py``), the job's actor and the store (``crossing_job.py``), the actor of the rate
limits (here). What they have to keep in step with, each says at its head: ``daemon/job/actor.py``,
``daemon/worker/actor.py``, ``run/worker.py``. Who changes a rule of those changes it here, too.

First comes a storm: wishes of people, pressure, deaths of actors and processes, lost connections,
limits that are lifted, while sheets begin and end. Then it is calm: each sheet ends, what is paused
is resumed, what was not acknowledged is said again, timers come. When nothing is left to happen
every job has to be over, and no slot may be held. So a walk finds wake-ups that are lost, slots
that leak, attempts that are begun or kept twice, sheets that run on in a cancelled job, and actors
that talk for ever. It knows no lists that add sheets, no clock that is set, no disk that refuses.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from random import Random
from types import SimpleNamespace
from typing import Any, cast

from crossing_job import Admitted
from crossing_mail import START, Address, Clock, Mail, Resident
from crossing_plans import plan_of
from crossing_worker import Process

from marianne.daemon.config import DaemonConfig
from marianne.daemon.context import Context
from marianne.daemon.scheduler import Unhindered
from marianne.daemon.services.scheduler import SchedulerActor
from marianne.daemon.shared.figures import Figures
from marianne.state.models import JobStatus

STORM = 120
"""Moves of the longest storm."""

PATIENCE = 20_000
"""Moves after which a walk that has no end is one that goes round in circles."""

LOOKS = 3
"""How often the worker is asked in vain, before nothing more is expected."""


class Lost(AssertionError):  # noqa: N818 - it says what happened
    """Something was: the walk came to no good end."""


class Rates(Resident):
    """Who keeps the rate limits."""

    def __init__(self, mail: Mail) -> None:
        self._mail = mail
        self._until: dict[str, float] = {}

    def report(self, key: str, seconds: float) -> None:
        """An instrument refused work."""
        self._until[key] = self._mail.clock.now + seconds
        self._mail.tell("scheduler", "block", key, self._until[key])

    def clear(self) -> None:
        """A person lifts all of them."""
        self._until.clear()
        self._mail.tell("scheduler", "lift", None)

    def active_limits(self) -> dict[str, float]:
        """The seconds that are left of each."""
        now = self._mail.clock.now
        return {key: until - now for key, until in self._until.items() if until > now}


class Walk:
    """The walk of this seed. ``clock`` is what the real parts read; ``trace`` is told what happens;
    ``only`` names what a storm brings, else it brings all."""

    def __init__(
        self,
        seed: int,
        clock: Clock,
        trace: Callable[[str], None] | None = None,
        only: Collection[str] = (),
    ) -> None:
        clock.now = START
        self._random = random = Random(seed)
        self._mail = mail = Mail(random, clock, trace)
        self._successes = random.choice([0.7, 0.7, 0.3])  # of the sheets that end by themselves
        self._rates = Rates(mail)
        self._context = self._make_context(random.choice([1, 2, 4]))
        mail.move_in("rates", self._rates)
        self._start_scheduler()
        self._jobs = [
            Admitted(mail, self._context, job_id, plan_of(random, job_id))
            for job_id in ("a", "b")[: random.choice([1, 2])]
        ]
        self._looks = 0
        often: dict[str, tuple[Callable[[Admitted], Any], int]] = {
            "pause": (lambda job: job.tell("pause"), 25),
            "resume": (lambda job: job.tell("resume"), 32),
            "cancel": (lambda job: job.tell("cancel"), 3),
            "press": (lambda job: self._press(job, pressed=True), 3),
            "relieve": (lambda job: self._press(job, pressed=False), 5),
            "exceed": (self._exceed, 2),
            "lift": (lambda _: mail.tell("rates", "clear"), 5),
            "lose link": (self._lose_link, 7),
            "lose process": (self._lose_process, 6),
            "lose actor": (self._lose_actor, 5),
            "lose scheduler": (self._lose_scheduler, 4),
            "go on": (Admitted.go_on, 10),
        }
        meant = [often[name] for name in only or often]
        self._strikes = [strike for strike, _ in meant]
        # Each storm has a weather of its own: what comes together often is rare in a mean of all.
        self._weights = [weight * random.choice([0.1, 1, 1, 5]) for _, weight in meant]
        self._wild = random.choice([0.1, 0.25, 0.4])

    def run(self) -> None:
        """Raises Lost, what an assertion says, or what the table of transitions refuses."""
        for _ in range(self._random.randint(0, STORM)):
            self._storm()
            self._count_slots()
        self._mail.note("it is calm")
        for job in self._jobs:
            self._press(job, pressed=False)
        for _ in range(PATIENCE):
            if not self._calm():
                break
            self._count_slots()
        else:
            raise Lost("it goes on for ever")
        self._judge()

    # -- its two parts --------------------------------------------------------------------------

    def _storm(self) -> None:
        random = self._random
        if random.random() < self._wild:
            random.choices(self._strikes, self._weights)[0](random.choice(self._jobs))
        elif not (
            (random.random() < 0.3 and self._end_a_sheet(calm=False))
            or (random.random() < 0.07 and self._mail.fire())
        ):
            self._mail.step()

    def _calm(self) -> bool:
        """Returns whether anything was left to happen."""
        moved = (
            (self._random.random() < 0.3 and self._end_a_sheet(calm=True))
            or self._mail.step()
            or self._end_a_sheet(calm=True)
            or self._go_on()
            or self._say_again()
            or self._mail.fire()
        )
        self._looks = 0 if moved else self._looks
        return moved or self._look()

    def _judge(self) -> None:
        for job in self._jobs:
            if not (job.away and job.over):
                sheets = {num: str(row.status) for num, row in job.rows.items()}
                raise Lost(f"job {job.job_id} is {job.row.status} for ever; its sheets: {sheets}")
        if self._scheduler.get_stats().active:
            raise Lost(f"slots are held though every job is over: {self._scheduler.get_stats()}")

    def _count_slots(self) -> None:
        """No more runs than has slots: a script takes one, or the part of one that it says."""
        sheets = [
            job.plan.sheet(one.num)
            for job in self._jobs
            if not job.away
            for one in job.process.begun
        ]
        taken = sum(min(1.0, sheet.cpus) for sheet in sheets if sheet.instrument.raw_prompt)
        if taken > self._context.config.max_concurrent_sheets:
            raise Lost(f"scripts that run take {taken:g} slots")

    # -- sheets ---------------------------------------------------------------------------------

    def _end_a_sheet(self, *, calm: bool) -> bool:
        """One comes to its own end. Returns whether any ran. When it is calm, what is to be ended
        with its job does not end by itself."""
        begun = [
            (job.process, one.num)
            for job in self._jobs
            if not job.away
            for one in job.process.begun
            if not (calm and self._is_doomed(job, one.num))
        ]
        if not begun:
            return False
        self._end(*self._random.choice(begun))
        return True

    @staticmethod
    def _is_doomed(job: Admitted, num: int) -> bool:
        machine = job.job.machine
        cancelling = job.job.up and machine.job.status is JobStatus.CANCELLING
        return cancelling and not machine._aftermath.outlives(num)

    def _end(self, process: Process, num: int) -> None:
        chance = self._random.random()
        self._mail.note(f"sheet {num} ends")
        if chance < self._successes:
            process.end(num, "completed", None, exit_code=0)
        elif chance < 0.85:
            process.end(num, "failed", "exit", exit_code=1)
        elif chance < 0.95:
            after = self._random.choice([0.0, 5.0, 50.0])
            process.end(num, "failed", "rate_limit", exit_code=1, retry_after=after)
        else:
            process.end(num, "failed", "validation", exit_code=0)

    # -- what comes by itself, sooner or later --------------------------------------------------

    def _go_on(self) -> bool:
        """What is paused is resumed; also what pauses and has nothing more to wait for."""
        moved = False
        for job in self._jobs:
            if job.go_on():
                moved = True
            elif not job.away and job.job.machine.job.status is JobStatus.PAUSING:
                job.tell("resume")
                moved = True
        return moved

    def _say_again(self) -> bool:
        jobs = [job for job in self._jobs if not job.away and job.process.unacked]
        for job in jobs:
            job.process.say_again()
        return bool(jobs)

    def _look(self) -> bool:
        self._looks += 1
        for job in self._jobs:
            job.tell_worker("look")
        return self._looks <= LOOKS

    # -- strikes --------------------------------------------------------------------------------

    def _press(self, job: Admitted, *, pressed: bool) -> None:
        job.pressed = pressed
        job.tell("press" if pressed else "relieve")

    def _exceed(self, job: Admitted) -> None:
        if not job.away and job.process.begun:
            job.tell("end_for_resources", self._random.choice(job.process.begun).num)

    def _lose_link(self, job: Admitted) -> None:
        self._mail.note(f"{job.job_id} loses its link")
        job.lose_link()

    def _lose_process(self, job: Admitted) -> None:
        self._mail.note(f"{job.job_id} loses its process")
        job.lose_process()

    def _lose_actor(self, job: Admitted) -> None:
        self._mail.note(f"{job.job_id} loses its actor")
        job.lose_actor()

    def _lose_scheduler(self, _: Admitted) -> None:
        """The jobs above it are started anew with it."""
        self._mail.note("the scheduler is lost")
        self._start_scheduler()
        for job in self._jobs:
            job.lose_actor()

    # -- what it stands on ----------------------------------------------------------------------

    def _start_scheduler(self) -> None:
        self._scheduler = actor = SchedulerActor(self._context)
        actor.send_after = self._mail.timers("scheduler", cast(Resident, actor))  # type: ignore[method-assign]
        self._mail.move_in("scheduler", cast(Resident, actor))

    def _make_context(self, slots: int) -> Context:
        mail = self._mail
        made = SimpleNamespace(
            config=DaemonConfig.model_validate({"max_concurrent_sheets": slots}),
            executor=SimpleNamespace(rooms=dict, batch_jobs=dict),
            stop=SimpleNamespace(mode=None),
            storage=SimpleNamespace(problem=None),
            resources=SimpleNamespace(active_sheets=0),
            figures=Figures(),
            rate_limits=self._rates,
            backpressure=Unhindered(),
            scheduler=Address(mail, "scheduler"),
            scheduling=None,
            job=lambda job_id: Address(mail, f"{job_id}/job"),
            worker=lambda job_id: Address(mail, f"{job_id}/worker"),
        )
        return cast(Context, made)

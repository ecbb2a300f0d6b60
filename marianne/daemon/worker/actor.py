"""The owner of one job's worker process.

It has the process started, or takes over the one that an earlier incarnation (or an earlier
conductor) recorded; proves that it lives by pid and start time, and that it listens by asking;
carries messages between it and the job actor; and ends it when the job ends or the conductor stops.
A group restart leaves the process alone (*detach*): its sheets go on and the next incarnation finds
it by its record.

A process that cannot be started now, or that ends before it begins, is the machine's trouble or
ours: it is tried again later, with the reason in ``context.start_delays``, and the job waits.

What a restart finds: started, not told of its job: it ends by itself; told, not recorded: it gets
no ``welcome``, its conductor's link knows no such worker, and it ends itself after its grace;
recorded, no hello yet: adopted, and killed by its record if no hello comes by the deadline; alive:
adopted with its sheets; dead: swept, and a new process says from the spool what was not
acknowledged.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Sequence
from typing import Any

from actors import Actor, ExitReason, Outcome, Promise, Timer
from actors.process import Process, ProcessExit
from marianne.crashpoints import crash_point
from marianne.daemon import ports
from marianne.daemon.config.machine import LOCAL
from marianne.daemon.context import Context
from marianne.daemon.services.store import FORGET_DEADLINE, WRITE_DEADLINE, Store
from marianne.daemon.shared.log import get_logger
from marianne.daemon.shared.part import Part
from marianne.daemon.shared.start_delays import passing
from marianne.daemon.worker.announcing import Announcement, Hello
from marianne.daemon.worker.employment import Employed, Employment
from marianne.daemon.worker.ending import WorkerLost, in_words
from marianne.daemon.worker.fleet import Fleet
from marianne.daemon.worker.listening import Listening, Look
from marianne.daemon.worker.orphans import sweep_job
from marianne.daemon.worker.standby import SpareWorker
from marianne.executors.outbox import Outbox
from marianne.executors.protocol import Run
from marianne.model.plan import Growth
from marianne.run.setup import EXIT_CLEAN
from marianne.state.changes import UpdateJob

log = get_logger(__name__)

END_MARGIN = 2.0
"""Seconds beyond the grace until a worker that does not end, or does not answer, is killed."""


class Worker(Actor):
    """One per admitted job; ``job:<id>/worker``."""

    def __init__(self, context: Context, fleet: Fleet, job_id: str, part: Part) -> None:
        super().__init__()
        self._context, self._fleet, self._job_id = context, fleet, job_id
        self._job = part.heard_by(context.job(job_id))
        self._employment = Employment(context, fleet, job_id, part.ready)
        self._process: Process | None = None
        self._proof = b""
        self._nobody = False  # no process lives, whatever the record says
        self._taken_over = self._over = False
        self._heard = self._ran = self._hurried = self._deaf = False
        self._round = 0
        self._untaken = Outbox()
        self._announcement = Announcement(self._tell_up, self._untaken)
        self._ending: list[Promise[None]] = []
        self._listening = Listening.alone()
        self._next_look: Timer | None = None

    def on_start(self) -> None:
        """Takes the process that waits for the job, or the recorded one, or has one started."""
        if self._job_id not in self._fleet.chosen:
            self._context.store.within(FORGET_DEADLINE).ask(Store.forget, self.name)
        self.begin()

    def begin(self) -> None:
        """As on_start says; what the machine cannot do now is tried again later."""
        if self._over:
            return
        try:
            employed = self._employment.chosen(self._context.entries.get(self._job_id))
            if employed is None:
                employed = self._employment.recorded()
                self._taken_over = employed is not None
        except Exception as error:  # noqa: BLE001 - judged there
            self._wait(error)
            return
        if employed is None:
            self._nobody = True
            if self._untaken.ending:
                self._speak_for_nobody()
            self.pipe(self._employment.another(), self.born)
        else:
            self._announcement.recorded = True
            self._begun(employed)

    def born(self, outcome: Outcome[SpareWorker]) -> None:
        """A process waits to be told what it is, or could not be started."""
        spare = outcome.value
        if spare is None:
            self._wait(outcome.error)
            return
        if self._over:
            spare.dismiss()
            return
        try:
            employed = self._employment.employ(spare)
        except Exception as error:  # noqa: BLE001 - judged by _wait
            spare.dismiss()
            self._wait(error)
            return
        if employed is None:
            self._wait(EOFError("it ended before it was told of its job"))
            return
        crash_point("worker.before-record")
        store = self._context.store.within(WRITE_DEADLINE)
        record = UpdateJob(self._job_id, employed.record())
        self.pipe(store.call(Store.write, [record], self.name), self.recorded, employed.proof)
        self._begun(employed)

    def _begun(self, employed: Employed) -> None:
        process, self._proof = employed
        self._process, self._nobody = process, False
        self._fleet.took_on(process)
        self.watch(process)
        if self._taken_over:
            # Within the same conductor it is connected, and says no hello by itself. A hello that
            # is no answer to us was said to an earlier incarnation, whose last words may stand
            # unread behind it: so no two may ask under the same number.
            self._round = time.monotonic_ns()
            self._ask()
        alone = self._context.config.orphan_grace_seconds if self._taken_over else None
        self._listen(Listening.hello(alone))

    def _wait(self, error: BaseException | None) -> None:
        """Tries again later, if that may help; a job whose plan is lost is beyond help."""
        assert error is not None
        if not (passing(error) or isinstance(error, OSError)):
            raise error
        why = f"its worker process: {str(error) or type(error).__name__}"
        seconds = self._context.start_delays.note(self._job_id, why)
        log.warning("worker_waits", job_id=self._job_id, error=repr(error), seconds=seconds)
        self.send_after(seconds, self.begin)

    def on_stop(self, reason: ExitReason) -> None:
        """Ends the process if the conductor ends it all; else leaves it to the next incarnation."""
        self._over = True
        process = self._living
        if self._context.stop.keeps_workers or process is None:
            return
        grace = 0.0 if self._context.stop.mode == "force" else self._grace
        self._end(process, grace, "stopped")
        if not process.wait(grace + END_MARGIN):
            process.signal(signal.SIGKILL)
            process.wait(END_MARGIN)
        self._fleet.let_go(process)
        self._sweep()

    def on_process_exit(self, process: Process, ending: ProcessExit) -> None:
        """The process is gone: what it left is ended, whoever waits is told, else we crash.

        One that never began anything is replaced later, and nobody notices.
        """
        self._fleet.let_go(process)
        self._fleet.reached.discard(self._fleet.peers.name_of(self._proof))
        self._fleet.peers.forget(self._proof)
        self._fleet.silent.pop(self._job_id, None)
        if self._taken_over and self._context.heart_pid == os.getppid():
            # It hung below the heart, and so does what it left.
            os.kill(os.getppid(), signal.SIGUSR1)
        if self._ending and ending.exit_code == EXIT_CLEAN:
            left = []  # its own last look, at children that nobody could have taken, found none
        else:
            left = self._sweep(everywhere=self._taken_over)
            self._fleet.swept[self._job_id] = process.pid, process.start_time
        if self._over:
            for promise in self._ending:
                promise.set(None)
            return
        how = "it did not listen" if self._deaf else in_words(ending)
        log.warning("worker_lost", job_id=self._job_id, pid=process.pid, how=how, swept=left)
        if not (self._heard or self._ran):
            self._process, self._proof = None, b""
            self._announcement.recorded = self._taken_over = False
            self._wait(EOFError(f"{in_words(ending)} before it began"))
            return
        self._context.losses.ended(self._job_id, how)
        raise WorkerLost(f"worker process {process.pid} of job {self._job_id}: {how}")

    # -- from the job actor ---------------------------------------------------------------------

    def report(self, asker: int) -> None:
        """The job actor (re)started and wants to hear ``worker_up`` with what is running."""
        self._announcement.ask(asker)
        if self._heard or self._ran:
            self._announcement.doubt()
            self._round += 1
            self._ask()
        self._announcement.give()

    def _ask(self) -> None:
        self._send({"kind": "report", "round": self._round})

    def run(self, runs: Sequence[Run], slots: int | None = None) -> None:
        """Starts attempts at once, those that are ahead when others end: at most ``slots`` run."""
        self._ran = True
        message = {"kind": "run", "slots": slots, "sheets": [run.to_map() for run in runs]}
        self._untaken.run(message)
        self._send(message)

    def grow(self, growths: Sequence[Growth]) -> None:
        """Lists have added these sheets to the job's plan."""
        for message in self._untaken.grow(growths):
            self._send(message)

    def end_sheets(self, nums: Sequence[int], category: str) -> None:
        """Ends running attempts through the kill ladder; their results come as interrupted."""
        cancel: dict[str, Any] = {"kind": "cancel", "sheets": list(nums), "category": category}
        cancel["grace"] = self._grace
        self._untaken.cancel(cancel)
        if self._nobody:
            self._speak_for_nobody()
            return
        self._send(cancel)
        # What was granted early may run before it has said hello, and may have stopped it.
        if (self._heard or self._ran) and not self._hurried:
            self._hurried = True
            self._hurry()
            self._listen(Listening.hurried(self._grace + END_MARGIN, greeted=self._heard))

    def hold(self, on: bool) -> None:
        """Has all that runs stand still where it stands, or go on."""
        self._send(self._untaken.hold(on))

    def withdraw(self) -> None:
        """Takes back what was granted ahead and has not begun; Job.withdrawn tells what that is."""
        self._untaken.withdraw()
        self._send({"kind": "withdraw"})

    def acknowledge(self, serials: Sequence[int]) -> None:
        """Those results are committed."""
        self._send({"kind": "ack", "serials": list(serials)})

    def finish(self) -> Promise[None]:
        """Ends the process; answers when a look finds neither it nor anything of its sheets."""
        promise: Promise[None] = self.promise()
        process = self._living
        self._over = True
        self._context.start_delays.over(self._job_id)
        if process is None:
            self._sweep()
            promise.set(None)
            return promise
        self._ending.append(promise)
        self._end(process, self._grace, "cancelled")
        self.send_after(self._grace + END_MARGIN, self.finish_overdue)
        return promise

    # -- from the process -----------------------------------------------------------------------

    def received(self, identity: bytes, kind: str, message: dict[str, Any]) -> None:
        """A message of a worker of this job; one of an earlier process is ignored."""
        if identity != self._fleet.peers.name_of(self._proof):
            log.info("stale_worker_message", job_id=self._job_id)
            return
        answers = kind == "hello" and message.get("round", self._round) == self._round
        if answers or not self._hurried:
            self._listening.heard()
        if kind == "hello":
            self._greeted(message, answers)
        elif kind == "results":
            self._untaken.heard(message["results"], message["started"])
            self._job.tell(ports.Job.results, message["results"], message["started"])
        elif kind == "withdrawn":
            self._untaken.withdrawn()
            self._job.tell(ports.Job.withdrawn, message["sheets"])
        if self._hurried and not self._untaken.ending:
            self._hurried = False
            self._listen(Listening.alone())

    def _greeted(self, hello: dict[str, Any], answers: bool) -> None:
        self._send({"kind": "welcome", "pid": os.getpid(), **self._context.identity})
        if not self._heard:
            self._heard = True
            self._context.start_delays.over(self._job_id)
            if not self._hurried:
                self._listen(Listening.alone())
        asked = self._announcement.awaited
        if answers:
            self._announcement.learn(hello)
            self._announcement.give()
        elif asked:
            # It was said before we asked, or our question was lost.
            self._ask()
        if not asked:
            for lost in self._untaken.again(hello):
                self._send(lost)

    def recorded(self, outcome: Outcome[Any], proof: bytes) -> None:
        """The record of a process is on disk (or the store failed: then we start over)."""
        if outcome.error is not None:
            raise outcome.error
        if proof == self._proof:  # else it has ended, and another is being recorded
            self._announcement.recorded = True
            self._announcement.give()

    def look(self, listening: Listening) -> None:
        """Does the process listen? One that does not is asked, woken, ended in the end."""
        if (process := self._living) is None or listening is not self._listening:
            return  # another stretch has begun: this look was on its way already
        look = listening.look()
        if look is Look.END:
            log.error("worker_silent", job_id=self._job_id, pid=process.pid)
            self._deaf = True
            process.signal(signal.SIGKILL)
            return
        if look is Look.FINE:
            self._fleet.silent.pop(self._job_id, None)
        elif listening.silent:
            self._fleet.silent[self._job_id] = process.pid
        if look is Look.WAKE:
            self._wake()
        if self._hurried:
            self._hurry()
        elif look is not Look.FINE:
            self._ask()
        self._next_look = self.send_after(listening.every, self.look, listening)

    def _listen(self, listening: Listening) -> None:
        if self._next_look is not None:
            self._next_look.cancel()
        self._listening = listening
        self._next_look = self.send_after(listening.every, self.look, listening)

    def _hurry(self) -> None:
        """Sheets of it are to end: one that is stopped again and again goes on a little."""
        self._wake()
        self._round += 1  # only an answer to this shows that it has read what it was told
        self._ask()

    def _wake(self) -> None:
        """A stopped process could not hear."""
        if (process := self._living) is not None:
            process.signal(signal.SIGCONT)

    def finish_overdue(self) -> None:
        """The process did not end within its grace."""
        if (process := self._living) is not None:
            log.error("worker_overdue", job_id=self._job_id, pid=process.pid)
            process.signal(signal.SIGKILL)

    # -- small parts ----------------------------------------------------------------------------

    def _sweep(self, *, everywhere: bool = True) -> list[int]:
        return sweep_job(self._fleet, self._context.owner, self._job_id, everywhere=everywhere)

    @property
    def _grace(self) -> float:
        return self._context.config.sheet_grace_seconds

    @property
    def _living(self) -> Process | None:
        process = self._process
        return process if process is not None and process.alive() else None

    def _end(self, process: Process, grace: float, category: str) -> None:
        """Asks the process to end its sheets and itself; without a grace it is killed, and our
        sweep ends the sheets."""
        if grace <= 0:
            process.kill()
            return
        self._wake()
        if self._heard:
            self._send({"kind": "stop", "grace": grace, "category": category})
        else:
            # It is not on the link yet. The signal means the same, with the grace it began with.
            process.signal(signal.SIGTERM)

    def _tell_up(self, hello: Hello, asker: int) -> None:
        self._job.tell(ports.Job.worker_up, hello, asker)

    def _speak_for_nobody(self) -> None:
        """Tells the job that nothing of it runs, and what stands in the spool: another process,
        which would say the same, may not be had for hours, and something is to end now."""
        try:
            finished = self._context.executor.finished(self._job_id, LOCAL)
        except OSError as error:  # the process will say it
            log.warning("spool_not_read", job_id=self._job_id, error=repr(error))
        else:
            self._announcement.give_nothing(finished)

    def _send(self, message: dict[str, Any]) -> None:
        if name := self._fleet.peers.name_of(self._proof):
            self._fleet.post(name, message)

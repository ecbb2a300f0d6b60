"""One attempt of one sheet, from its grant to its result.

    queued -> skipping -> running -> checking -> done
                 |           |          |
                 +-----------+----------+--> ending -> done      (cancel, stop, loss)

skipping runs the skip command, running the program, checking the validations; each may have a
child tree in the nursery, and each is left only when that tree is gone. A limit ends the program
within ``running``. Every attempt that was granted gives exactly one result.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

from marianne.model.plan import Instrument, SheetPlan
from marianne.model.result import AttemptResult, ValidationOutcome
from marianne.run.archive import ArchiveError
from marianne.run.attempt_state import State, Stillness
from marianne.run.beside import start_beside
from marianne.run.child import Child, Ended
from marianne.run.complain import complain, complain_of_error
from marianne.run.grant import Grant
from marianne.run.limits import Limits, Watch
from marianne.run.nursery import WHO_SECONDS
from marianne.run.outputs import Files, tail, write_prompt
from marianne.run.passing import put_off, unkept, words
from marianne.run.spawn import Command, SpawnError
from marianne.run.telling import result_of
from marianne.run.tools import Reading
from marianne.run.validate import Answer, Checks
from marianne.run.workshop import Workshop
from marianne.score.placeholders import fill_command, placeholder_names
from marianne.score.preflight import is_prompt
from marianne.score.script_lines import Script
from marianne.score.template import TemplateError

if TYPE_CHECKING:
    from marianne.run.freshness import Freshness
    from marianne.run.walled import Walls


OnBegin = Callable[[int, int, float], None]
OnStarted = Callable[["Attempt", int, float], None]
OnResult = Callable[["Attempt", AttemptResult], None]


LOOK_AGAIN_SECONDS = 1.0
"""Until what the machine could not do beside a sheet (a check, a look) is tried again."""

TOO_MUCH = "Used alone over twice the memory or processes that all jobs together may use"


class Attempt:
    """See the head of this file.

    ``on_begin`` is called with sheet, attempt and time before anything of the attempt runs, and
    keeps it from running by an OSError; ``on_started`` when the program runs, or never.
    """

    def __init__(
        self,
        shop: Workshop,
        grant: Grant,
        on_begin: OnBegin,
        on_started: OnStarted,
        on_result: OnResult,
    ) -> None:
        self._shop = shop
        self.grant = grant
        self.num, self.attempt = grant.num, grant.attempt
        self.state = State.QUEUED
        self.begun = False
        self.walls: tuple[str, ...] = ()  # that stand around it
        self._files = Files(shop.job_dir, grant.num, grant.attempt)
        self._on_begin = on_begin
        self._on_started = on_started
        self._on_result = on_result
        self._started_at = self._began = 0.0
        self._child: Child | None = None
        self._checks: Checks | None = None
        self._watch: Watch | None = None
        self._cause: tuple[str, str] | None = None  # (category, message): why we ended it
        self._ended: Ended | None = None
        self._instrument: Instrument | None = None
        self._listed: dict[str, object] | None = None
        self._fresh: Freshness | None = None
        self._stillness = Stillness()

    # -- begin and end, from the worker

    def begin(self) -> None:
        """Takes the attempt from queued to its first process, or straight to its result."""
        self.begun = True
        self._started_at, self._began = time.time(), time.monotonic()
        try:
            sheet = self._shop.plan.sheet(self.num)
        except KeyError:
            self._fail("internal", f"The job has no sheet {self.num}")
            return
        self._guarded(lambda: self._first(sheet))

    def end(self, category: str, grace: float) -> None:
        """Ends it for us, not for itself: the result is interrupted. Again: hurries.

        With the category resource_limit it has failed, and that counts as an attempt.
        """
        if self.state is State.DONE:
            return
        if category == "resource_limit":
            self._exceeded(category, TOO_MUCH)
            return
        self._cause = (category, "")
        if self._checks is not None:
            self._checks.cancel()
        if self._child is None:
            self._interrupted()
            return
        self.state = State.ENDING
        self._shop.nursery.end(self._child, grace)

    def hold(self, on: bool) -> None:
        """Has what runs of it stand still, its limits too, or go on."""
        if self._child is None:
            return
        if not self._shop.nursery.hold(self._child, on):
            complain(f"sheet {self._label} does not stand still: it has no control group")
            return
        self._stillness.hold(on)
        if self._watch is not None:
            self._watch.hold(on)

    def _first(self, sheet: SheetPlan) -> None:
        self._on_begin(self.num, self.attempt, self._started_at)
        self._shop.clear()
        self._skip_or_run(sheet)

    # -- skipping

    def _skip_or_run(self, sheet: SheetPlan) -> None:
        shop, grant = self._shop, self.grant
        if sheet.skip_when is not None and shop.tools.skip(shop.plan, sheet, grant):
            self._give("skipped", message=f"skip_when: {sheet.skip_when}")
            return
        command = sheet.skip_when_command
        if command is None:
            self._run_unless_fresh(sheet)
            return
        self.state = State.SKIPPING
        names = placeholder_names(shop.plan, sheet)

        def answer(passed: bool, _detail: str) -> None:
            if passed:
                self._give("skipped", message=command.description or command.command)
            else:
                self._guarded(lambda: self._run_unless_fresh(sheet))

        self._shell(
            fill_command(command.command, names),
            shop.plan.workspace,
            command.timeout_seconds,
            answer,
        )

    def _run_unless_fresh(self, sheet: SheetPlan) -> None:
        if not sheet.outputs:
            self._run(sheet)
            return
        from marianne.run.freshness import Freshness  # late: 5 MB that most jobs never need

        self.state = State.SKIPPING
        self._fresh = Freshness(self._shop, sheet, self.grant, self._files.fresh, self._shell)
        run = partial(self._guarded, partial(self._run, sheet))
        self._fresh.begin(lambda why: self._give("skipped", message=why), run)

    def _guarded(self, step: Callable[[], None]) -> None:
        try:
            step()
        except ArchiveError as error:
            self._fail("workspace", str(error))
        except SpawnError as error:
            self._fail(error.category, error.message)
        except TemplateError as error:
            self._fail("template", f"line {error.line}: {error.message}")
        except OSError as error:
            # Our files or its process could not be made just now: it has not begun.
            reading = put_off(error)
            if reading is not None:
                self._give("interrupted", reading)
            else:
                self._fail("internal", words(error))
        except Exception as error:  # noqa: BLE001 - our fault, but this sheet's alone
            complain_of_error()
            self._fail("internal", f"{type(error).__name__}: {error}")

    # -- running

    def _run(self, sheet: SheetPlan) -> None:
        shop, grant, files = self._shop, self.grant, self._files
        instrument = sheet.instrument_at(grant.fallback)
        if instrument is None:
            self._fail("internal", f"The sheet has no fallback {grant.fallback}")
            return
        if not instrument.command:  # a program that was missing may be there by now: try it
            reason = instrument.unavailable or "it has no program"
            self._fail("not_found", f"{instrument.profile}: {reason}")
            return
        self._instrument = instrument
        prompt = shop.tools.prompt(shop.plan, sheet, grant, shop.job_dir)
        write_prompt(files.prompt, prompt)
        if is_prompt(sheet.prompt, instrument):
            if refusal := shop.prompts.refusal(len(prompt)):
                self._fail("preflight", refusal)
                return
            if remark := shop.prompts.remark(len(prompt)):
                complain(f"sheet {self._label}: {remark}")
        built = shop.tools.command(instrument, prompt, files.prompt, sheet, shop.plan, self._env())
        self._prepare_checks(sheet)
        command = Command(
            built.argv,
            built.env,
            os.path.join(shop.plan.workspace, built.cwd or ""),
            files.out,
            files.err,
            built.stdin,
            self._behind(built.env),
        )
        self.state = State.RUNNING
        allowed = shop.limits_of(sheet, instrument)
        told = self._program_ended, self._label, shop.grace, allowed
        self._child = child = shop.nursery.start(command, *told)
        memory = None if child.kept("memory.max") else allowed.get("max_memory_mb")
        times = sheet.timeout_seconds, sheet.idle_timeout_seconds
        limits = Limits(*times, shop.output_limit, memory)
        outputs = (files.out, files.err)
        self._watch = Watch(shop.loop, shop.nursery, child, limits, outputs, self._exceeded)
        self._on_started(self, self._child.pid, self._started_at)

    def _behind(self, env: Mapping[str, str]) -> Walls | None:
        """The walls around all that the attempt starts; noted for its result."""
        walls = self._shop.walls(self.num, self.grant.fallback, env)
        self.walls = walls.standing if walls is not None else ()
        return walls

    @property
    def _label(self) -> str:
        return f"{self.num}.{self.attempt}"

    def _env(self) -> dict[str, str]:
        return self._shop.env_of(self.num, self.attempt)

    def _exceeded(self, category: str, message: str) -> None:
        if self._child is not None and self._cause is None:
            self._cause = (category, message)
            self._shop.nursery.end(self._child)

    def _program_ended(self, ended: Ended) -> None:
        self._child, self._ended = None, ended
        if self._watch is not None:
            self._watch.stop()
        if self.state is State.ENDING:
            self._interrupted()
            return
        if self._cause is None and ended.exceeded:
            self._cause = ("resource_limit", ended.exceeded)
        if self._cause is not None:
            self._fail(*self._cause)
            return
        self._by_itself(ended, lambda: self._judge(ended))

    def _by_itself(self, ended: Ended, step: Callable[[], None]) -> None:
        """Takes the step, if need be so much later that an end of ours is known: WHO_SECONDS."""
        if ended.by_request:
            self._shop.loop.call_later(WHO_SECONDS, lambda: self._unless_done(step))
        else:
            step()

    def _unless_done(self, step: Callable[[], None]) -> None:
        if self.state is not State.DONE:
            step()

    def _judge(self, ended: Ended) -> None:
        assert self._instrument is not None
        if self.state is State.DONE:
            return
        script = Script.of(self._shop.plan, self._shop.plan.sheet(self.num))
        try:
            reading = self._shop.tools.read(self._instrument, ended, self._files, script)
        except OSError as error:
            # Its work is done; only we cannot look at it just now.
            complain(f"sheet {self._label}: {error}; looked at again")
            self._shop.loop.call_later(LOOK_AGAIN_SECONDS, lambda: self._judge(ended))
            return
        if reading.ok:
            self._succeeded(reading)
        elif lost := unkept(reading, self._files.out):
            self._give("interrupted", lost)
        else:
            self._give("failed", reading)

    # -- checking

    def _succeeded(self, reading: Reading) -> None:
        """The program has done what it could; whether it is what was wanted is seen now."""
        if self._checks is None:
            self._complete(reading)
        else:
            self.state = State.CHECKING
            self._checks.start(lambda outcomes: self._checked(reading, outcomes))

    def _prepare_checks(self, sheet: SheetPlan) -> None:
        if sheet.validations:
            self._checks = Checks(
                sheet.validations,
                placeholder_names(self._shop.plan, sheet),
                self._shop.plan.workspace,
                self._shop.loop,
                self._shell,
            )

    def _checked(self, reading: Reading, outcomes: tuple[ValidationOutcome, ...]) -> None:
        failed = [o for o in outcomes if o.passed is False]
        if not failed:
            self._complete(reading, outcomes)
            return
        rest = f" (and {len(failed) - 1} more)" if len(failed) > 1 else ""
        why = f"{failed[0].type}: {failed[0].detail}{rest}"
        self._give("failed", reading.failed("validation", why), outcomes)

    def _complete(self, reading: Reading, outcomes: tuple[ValidationOutcome, ...] = ()) -> None:
        done = partial(self._give, "completed", reading, outcomes)
        if self._fresh is None:
            done()
            return
        self.state, failed = State.CHECKING, partial(reading.failed, "validation")
        self._fresh.done(done, lambda why: self._give("failed", failed(why), outcomes))

    def _shell(self, line: str, folder: str, timeout: float, answer: Answer) -> None:
        """Runs a command line of the score's beside the program: a check, a skip condition."""
        shop, path, env = self._shop, self._files.check, self._env()

        def done(result: Ended, over: str | None) -> None:
            self._child = None
            said = ""
            with suppress(OSError):
                said = tail(path, 500).strip()
                os.unlink(path)
            if self.state is State.ENDING:
                self._interrupted()
            elif over:
                answer(False, f"{line}: {over}")
            elif result.exit_code == 0:
                answer(True, line)
            else:
                why = f"{line}: {result.how}{': ' if said else ''}{said}"
                self._by_itself(result, lambda: answer(False, why))

        if self.state is State.DONE:
            return
        try:
            walls = self._behind(env)
            command = Command(["bash", "-c", line], env, folder, path, walls=walls)
            self._child, self._watch = start_beside(shop, self._label, command, timeout, done)
        except SpawnError as error:
            answer(False, error.message)
        except OSError as error:
            complain(f"sheet {self._label}: {line:.100}: {error}; tried again")
            again = partial(self._shell, line, folder, timeout, answer)
            shop.loop.call_later(LOOK_AGAIN_SECONDS, again)

    # -- the result

    def _interrupted(self) -> None:
        category = self._cause[0] if self._cause else "cancelled"
        self._give("interrupted", Reading(False, category=category))

    def _fail(self, category: str, message: str) -> None:
        self._give("failed", Reading(False, category=category, message=message))

    def _give(
        self,
        outcome: str,
        reading: Reading | None = None,
        validations: tuple[ValidationOutcome, ...] = (),
        message: str | None = None,
    ) -> None:
        self.state = State.DONE
        # A clock that was set meanwhile makes no attempt longer or shorter.
        now = self._started_at + time.monotonic() - self._began if self.begun else time.time()
        times, reading = (self._started_at or now, now), reading or Reading(True, message=message)
        told = reading, validations, self._ended, self._files, self._listed, self.walls
        self._on_result(self, result_of(self.grant, outcome, times, *told, self._stillness))

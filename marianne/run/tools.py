"""What the worker asks of the score language and the instruments, in one place."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import field, replace
from typing import Any

from marianne.instruments.command import allowed_environment, build_command
from marianne.instruments.output import diagnose, read_output
from marianne.model.plan import Instrument, Plan, SheetPlan
from marianne.model.result import AttemptResult
from marianne.records import dataclass
from marianne.run.child import Ended
from marianne.run.complain import complain
from marianne.run.grant import Grant
from marianne.run.outputs import Files, tail
from marianne.run.spawn import SpawnError
from marianne.run.strict import reason, watched
from marianne.run.time_limit import SECONDS, TimeUp, time_limit
from marianne.score.context import capture_files, read_injections
from marianne.score.context import read_output as read_tail
from marianne.score.prompt import render_prompt, should_skip, window
from marianne.score.redact import redact
from marianne.score.script_lines import Script
from marianne.score.surroundings import sheet_folder
from marianne.score.template import TemplateError, render

# What is read of a program's structured output, and of its error stream.
MAX_READ_CHARS = 16 * 2**20
MAX_ERROR_CHARS = 16 * 2**10
# What finds the names that a pattern matches, or reads a JSON file: a program, so that a file
# system that hangs holds up the sheet alone.
LISTER = os.path.join(os.path.dirname(__file__), "lister.py")


@dataclass(frozen=True, slots=True)
class Reading:
    """What a program's ending means; the fields are those of AttemptResult."""

    ok: bool
    category: str | None = None
    code: str | None = None
    message: str | None = None
    retry_after: float | None = None
    usage: dict[str, Any] = field(default_factory=dict)

    def failed(self, category: str, message: str) -> Reading:
        """The same reading, of work that turned out not to be done."""
        return replace(self, ok=False, category=category, message=message)

    def noting(self, text: str) -> Reading:
        """The same reading with something said as well."""
        return replace(self, message=f"{self.message}; {text}" if self.message else text)


@dataclass(frozen=True, slots=True)
class Built:
    """A command line ready to start. ``cwd`` is absolute or relative to the workspace."""

    argv: tuple[str, ...]
    env: Mapping[str, str]
    stdin: str | None = None
    cwd: str | None = None


class Tools:
    """The real ones, with the little memory that they need. Tests replace single methods.

    What a later sheet may ask of an earlier one is known from results of this worker, else from
    the grant, which names the completed and the skipped.
    """

    def __init__(self) -> None:
        self._seen: dict[int, AttemptResult] = {}

    def note(self, result: AttemptResult) -> None:
        """Remembers how an attempt ended."""
        self._seen[result.num] = result

    def prompt(self, plan: Plan, sheet: SheetPlan, grant: Grant, job_dir: str) -> str:
        """The text for the instrument; TemplateError when it cannot be rendered."""
        text = sheet.prompt.template
        if "{" not in text and _nothing_else(sheet, grant):
            return render(text, {}, script=sheet.prompt.script)  # at a tenth of the cost
        before = self._seen.get(sheet.num)
        failed = grant.failed
        if before is not None:
            failed = [f"{v.type}: {v.detail}" for v in before.validations if v.passed is False]
        with _bounded("the prompt"):
            return self._render(plan, sheet, grant, job_dir, failed)

    def _render(
        self, plan: Plan, sheet: SheetPlan, grant: Grant, job_dir: str, failed: Sequence[str]
    ) -> str:
        injected, missing = read_injections(plan, sheet) if sheet.injections else ({}, [])
        for text in missing:
            complain(f"sheet {sheet.num}: {text}")
        return render_prompt(
            plan,
            sheet,
            attempt=grant.attempt,
            outputs=_previous_outputs(plan, sheet, grant, job_dir),
            files=capture_files(plan, sheet),
            skipped=grant.skipped,
            injected=injected,
            failed=failed,
            completion=grant.completion,
            fallback=grant.fallback,
        )

    def skip(self, plan: Plan, sheet: SheetPlan, grant: Grant) -> bool:
        """Whether ``skip_when`` holds; an expression that cannot be evaluated does not skip."""
        states: dict[int, dict[str, Any]] = {
            num: {"status": "completed", "attempt": attempt, "validation_passed": True}
            for num, attempt in grant.outputs.items()
        }
        states.update((num, {"status": "skipped"}) for num in grant.skipped)
        for num, (status, attempt, code) in grant.states.items():
            passed = True if status == "completed" else None
            states[num] = {
                "status": status,
                "attempt": attempt,
                "exit_code": code,
                "validation_passed": passed,
            }
        for num, result in self._seen.items():
            state = states.setdefault(num, {"status": result.outcome})
            state |= {"attempt": result.attempt, "exit_code": result.exit_code}
            state["validation_passed"] = True if result.outcome == "completed" else None
        with _bounded("skip_when"):
            return should_skip(plan, sheet, states)

    def command(
        self,
        instrument: Instrument,
        prompt: str,
        prompt_path: str,
        sheet: SheetPlan,
        plan: Plan,
        env: Mapping[str, str],
    ) -> Built:
        """What to start for a prompt that lies at ``prompt_path``. Raises SpawnError where the
        sheet's directory is none."""
        folder = _folder(plan, sheet)
        command = build_command(
            instrument, prompt, prompt_path, sheet.timeout_seconds, folder or plan.workspace, env
        )
        allowed = allowed_environment(command, env)
        allowed.update((name, env[name]) for name in sheet.env or ())
        source = plan.lists.get(sheet.num)
        if source is not None and source.kind != "command":
            most = str(source.max_items)
            argv = (sys.executable, "-I", "-S", LISTER, source.kind, prompt_path, most)
            return Built(argv, allowed, None, folder or command.cwd)
        if sheet.prompt.script:
            allowed.update(watched(instrument, allowed, prompt))
        return Built(command.argv, allowed, command.stdin_path, folder or command.cwd)

    def read(
        self, instrument: Instrument, ended: Ended, files: Files, script: Script | None = None
    ) -> Reading:
        """Whether the program succeeded by its own account, and what it said of itself.

        With ``script`` it is told by the lines of the score.
        """
        good = instrument.errors.get("success_exit_codes", (0,))
        if ended.exit_code in good and instrument.output.get("format", "text") == "text":
            return Reading(True)  # nothing is read, as of most sheets: no limit is needed
        try:
            with time_limit():
                return self._read(instrument, ended, files, script)
        except TimeUp:
            what = f"the profile {instrument.profile} took over {SECONDS:g} s to read its output"
            hint = "look for a pattern that has no end"
            return Reading(False, "internal", message=f"{what}: {hint}")

    def _read(
        self, instrument: Instrument, ended: Ended, files: Files, script: Script | None
    ) -> Reading:
        said = None
        if instrument.output.get("format", "text") != "text":
            said = read_output(instrument, tail(files.out, MAX_READ_CHARS))
            for words in said.ignored:
                complain(f"{files.out}: ignored: {words}")
        usage = said.usage if said else {}
        good = instrument.errors.get("success_exit_codes", (0,))
        if ended.exit_code in good and not (said and said.error):
            return Reading(True, usage=usage)
        errors = tail(files.err, MAX_ERROR_CHARS)
        why = diagnose(instrument, errors, said)
        if why is not None:
            return Reading(False, why.category, why.code, why.message, why.wait, usage)
        last = errors.strip().rpartition("\n")[2]
        if script is not None and files.prompt in last:
            last = script.named(last, files.prompt, tail(files.prompt, MAX_READ_CHARS))
        last = redact(last[:300])
        rest = f": {last}" if last else ""
        if ended.signal is not None:
            name = _signal_name(ended.signal)
            return Reading(False, "signal", message=f"Killed by {name}{rest}", usage=usage)
        code = ended.exit_code
        by = reason(files, code, script, last) if script is not None and code else ""
        return Reading(False, "exit", message=f"Exit code {code}{by}{rest}", usage=usage)


def _folder(plan: Plan, sheet: SheetPlan) -> str | None:
    folder = sheet_folder(plan, sheet)
    if folder is None:
        return None
    os.makedirs(plan.workspace, exist_ok=True)
    if not os.path.isdir(folder):
        why = "is no directory" if os.path.exists(folder) else "does not exist"
        hint = "it is not made: have an earlier sheet make it, or correct 'cwd'"
        raise SpawnError("workspace", f"cwd: {folder} {why} ({hint})")
    return folder


@contextmanager
def _bounded(what: str) -> Iterator[None]:
    """Makes what has no end a fault of the score."""
    try:
        with time_limit():
            yield
    except TimeUp:
        why = f"{what} took over {SECONDS:g} s to compute: look for a loop that has no end"
        raise TemplateError(why) from None


def _nothing_else(sheet: SheetPlan, grant: Grant) -> bool:
    """Whether the instrument gets the rendered template alone, and nothing need be read for it."""
    if sheet.prompt.script:
        return True
    instrument = sheet.instrument_at(grant.fallback) or sheet.instrument
    return instrument.raw_prompt and not sheet.injections


def _previous_outputs(plan: Plan, sheet: SheetPlan, grant: Grant, job_dir: str) -> dict[int, str]:
    """What the sheets in the window said: their result where the instrument wraps it, else the
    end of their output. The files of an ended job may be forgotten: raises TemplateError where one
    is gone, which is no empty output."""
    cross = sheet.cross_sheet
    found = {}
    for num in window(sheet):
        if cross is None or num not in grant.outputs:
            continue
        path, earlier = Files(job_dir, num, grant.outputs[num]).out, plan.sheet(num)
        if "previous_outputs" in sheet.prompt.template and not os.path.exists(path):
            raise TemplateError(
                f"the output of sheet {num} ({earlier.name}) is there no more, and this sheet asks "
                f"for previous outputs: retry {num} as well"
            )
        instrument = earlier.instrument_at(grant.played.get(num, 0)) or earlier.instrument
        if instrument.output.get("format", "text") != "text":
            said = read_output(instrument, tail(path, MAX_READ_CHARS))
            if said.structured:
                found[num] = redact(said.text)
                continue
        found[num] = read_tail(path, cross.max_output_chars)
    return found


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"

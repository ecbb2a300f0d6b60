"""Each sheet as it will be executed, for people who look before they run it.

The command line, the text and the environment are made by what makes them in a run; what only a
run can know stands as a mark, ``⟨…⟩``, and is named. It is the first attempt that is shown.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection
from typing import TYPE_CHECKING, Any, Literal, cast

import msgpack

from marianne.environment import of_attempt, of_sheets
from marianne.instruments.command import build_command
from marianne.model.plan import Plan, SheetPlan
from marianne.score.describe import describe_params, describe_sheet
from marianne.score.foresight import Seen, UndecidedError, injections, mark, unknown
from marianne.score.prompt import render_prompt
from marianne.score.redact import redact
from marianne.score.surroundings import sheet_env, sheet_folder
from marianne.score.template import TemplateError
from marianne.score.variables import sheet_variables

if TYPE_CHECKING:
    from marianne.replies.changes import DryPlan, PlannedSheet

PROMPT, PROMPT_FILE = "⟨the text⟩", "⟨a file with the text⟩"
_WORD = re.compile(r"[A-Za-z_]\w*")


def preview_plan(plan: Plan, left_out: Collection[int] = (), limit: int | None = None) -> DryPlan:
    """The whole plan, of which the sheets ``left_out`` do not run; those that do not fit into
    ``limit`` bytes of a message are only counted."""
    sheets: list[PlannedSheet] = []
    size = 0
    for sheet in plan.sheets:
        found = preview_sheet(plan, sheet, left_out)
        if limit is not None:
            size += len(msgpack.packb(found))
            if size > limit:
                break
        sheets.append(found)
    return {
        "name": plan.name,
        "workspace": plan.workspace,
        "params": describe_params(plan),
        "environment": of_sheets("⟨the job's id⟩", plan.workspace, "⟨a random mark⟩"),
        "sheets": sheets,
        "more": len(plan.sheets) - len(sheets),
    }


def preview_sheet(plan: Plan, sheet: SheetPlan, left_out: Collection[int] = ()) -> PlannedSheet:
    """What ``describe_sheet`` says, with the command and the text. The sheets ``left_out`` do not
    run."""
    text, rendered, at_run = _text(plan, sheet, left_out)
    found: PlannedSheet = {
        **describe_sheet(plan, sheet),
        "runs": sheet.num not in left_out,
        "prompt": text,
        "rendered": rendered,
        "at_run": at_run,
        "variables": _variables(plan, sheet),
        "command": None,
        "stdin": None,
        "working_directory": plan.workspace,
        "environment": of_attempt(sheet.num, 1),
        "environment_passed": None,
        "list": None,
    }
    source = plan.lists.get(sheet.num)
    if source is not None and source.sheet is not sheet:
        each = preview_sheet(plan, source.sheet, left_out)
        kind = cast("Literal['glob', 'command', 'json']", source.kind)
        found["list"] = {"kind": kind, "max_items": source.max_items, "each": each}
    instrument = sheet.instrument
    if found["list"] is not None and found["list"]["kind"] != "command":
        return found  # a pattern, or the name of a file: no program is given it
    if instrument.command:
        limit = sheet.timeout_seconds
        folder = sheet_folder(plan, sheet)
        command = build_command(instrument, text, PROMPT_FILE, limit, folder or plan.workspace)
        found["command"] = [PROMPT if word == text else word for word in command.argv]
        found["stdin"] = PROMPT if command.stdin_path else None
        found["working_directory"] = os.path.normpath(
            os.path.join(plan.workspace, folder or command.cwd or "")
        )
        # As they are written: what ${NAME} stands for may be a secret.
        found["environment"] |= instrument.command["env"] | _environment(plan, sheet)
        allowed = command.env_allow
        found["environment_passed"] = None if allowed is None else list(allowed)
    return found


def _text(plan: Plan, sheet: SheetPlan, skipped: Collection[int]) -> tuple[str, bool, list[str]]:
    """The text that the instrument gets, or its template and False; what of it a run will know."""
    seen = Seen()
    around = injections(sheet)
    names = unknown(plan, sheet, skipped, seen)
    text = None
    if not seen.decided:
        injected = {kind: mark(words) for kind, words in around.items()}
        try:
            text = render_prompt(plan, sheet, skipped=skipped, injected=injected, over=names)
        except (TemplateError, UndecidedError) as error:
            seen.decided.setdefault(str(error))
    if text is None or seen.decided:
        words = [f"{name} decides what the text is" for name in seen.decided]
        return sheet.prompt.template, False, words
    alone = sheet.prompt.script or sheet.instrument.raw_prompt
    if not alone:
        seen.printed |= dict.fromkeys(around.values())
    return text, True, list(seen.printed)


def _environment(plan: Plan, sheet: SheetPlan) -> dict[str, str]:
    """The score's own variables, without what looks like a credential."""
    shown = {name: redact(f"{name}={value}") for name, value in sheet_env(plan, sheet).items()}
    return {name: text.partition("=")[2] for name, text in shown.items()}


def _variables(plan: Plan, sheet: SheetPlan) -> dict[str, Any]:
    """The names that the template speaks of, with their values."""
    if "{" not in sheet.prompt.template:
        return {}
    words = set(_WORD.findall(sheet.prompt.template))
    return {name: value for name, value in sheet_variables(plan, sheet).items() if name in words}

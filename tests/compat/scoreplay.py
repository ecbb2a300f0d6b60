"""Plays a plan in the plainest way: one sheet after the other, each a subprocess.

It is no second conductor: no parallelism, no delays, no time limits. It is there to show that a
score means what its author wrote, apart from everything that can go wrong while it runs.
"""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from marianne.instruments.command import allowed_environment, build_command
from marianne.instruments.output import diagnose, is_success, read_output
from marianne.score.context import capture_files, read_injections
from marianne.score.placeholders import fill, fill_command, placeholder_names
from marianne.score.plan import Plan, SheetPlan, ValidationRule
from marianne.score.prompt import render_prompt, should_skip


@dataclass
class Played:
    """What became of the sheets: status, number of attempts, output, by sheet number."""

    status: dict[int, str] = field(default_factory=dict)
    attempts: dict[int, int] = field(default_factory=dict)
    output: dict[int, str] = field(default_factory=dict)
    prompts: dict[int, str] = field(default_factory=dict)
    failed_checks: dict[int, list[str]] = field(default_factory=dict)

    @property
    def completed(self) -> bool:
        return all(status in {"completed", "skipped"} for status in self.status.values())


def play(plan: Plan, home: Path) -> Played:
    """Plays every sheet whose needs are met; ``home`` takes the prompts."""
    os.makedirs(plan.workspace, exist_ok=True)
    home.mkdir(exist_ok=True)
    played = Played()
    waiting = {sheet.num: sheet for sheet in plan.sheets}
    while True:
        done = {n for n, status in played.status.items() if status in {"completed", "skipped"}}
        ready = [sheet for sheet in waiting.values() if set(sheet.needs) <= done]
        if not ready:
            break
        for sheet in ready:
            del waiting[sheet.num]
            _play_sheet(plan, sheet, played, home)
    played.status.update(dict.fromkeys(waiting, "not run"))
    return played


def _play_sheet(plan: Plan, sheet: SheetPlan, played: Played, home: Path) -> None:
    states = {num: {"status": status} for num, status in played.status.items()}
    if should_skip(plan, sheet, states) or _skip_command(plan, sheet):
        played.status[sheet.num] = "skipped"
        return
    failures = completions = 0
    failed: list[str] = []
    fallback = sheet.next_available()
    attempt = 0
    while fallback is not None:
        attempt += 1
        played.attempts[sheet.num] = attempt
        good, found, retry = _attempt(
            plan, sheet, played, home, attempt, failed, completions > 0, fallback
        )
        failed = found
        played.failed_checks[sheet.num] = found
        if good and not found:
            played.status[sheet.num] = "completed"
            return
        partial = good and len(found) < len(sheet.validations)
        if partial and completions < sheet.retry.max_completion_attempts:
            completions += 1
            continue
        failures += 1
        if failures > sheet.retry.max_retries or not retry:
            fallback = sheet.next_available(fallback + 1)
            failures = completions = 0
    played.status[sheet.num] = "failed"


def _attempt(
    plan: Plan,
    sheet: SheetPlan,
    played: Played,
    home: Path,
    attempt: int,
    failed: list[str],
    completion: bool,
    fallback: int,
) -> tuple[bool, list[str], bool]:
    instrument = sheet.instrument_at(fallback)
    assert instrument is not None
    skipped = [num for num, status in played.status.items() if status == "skipped"]
    injected, _ = read_injections(plan, sheet)
    prompt = render_prompt(
        plan,
        sheet,
        attempt=attempt,
        outputs=played.output,
        files=capture_files(plan, sheet),
        skipped=skipped,
        injected=injected,
        failed=failed,
        completion=completion,
        fallback=fallback,
    )
    played.prompts[sheet.num] = prompt
    path = home / f"{sheet.num}.{attempt}.prompt"
    path.write_text(prompt)
    environ = {
        **os.environ,
        "MARIANNE_ATTEMPT": str(attempt),
        "MARIANNE_SHEET": str(sheet.num),
        "MARIANNE_WORKSPACE": plan.workspace,
    }
    command = build_command(
        instrument, prompt, str(path), sheet.timeout_seconds, plan.workspace, environ
    )
    before = {rule.path: _stamp(plan, sheet, rule) for rule in sheet.validations if rule.path}
    with open(command.stdin_path or os.devnull) as stdin:
        done = subprocess.run(
            command.argv,
            stdin=stdin,
            capture_output=True,
            text=True,
            cwd=plan.workspace,
            env=allowed_environment(command, environ),
            timeout=120,
            check=False,
        )
    reading = read_output(instrument, done.stdout)
    played.output[sheet.num] = reading.text
    if not is_success(instrument, done.returncode, reading):
        diagnosis = diagnose(instrument, done.stderr, reading)
        return False, [done.stderr[-500:] or "failed"], diagnosis is None or diagnosis.retry
    found = []
    stage = None
    for rule in sheet.validations:
        if found and stage != rule.stage:
            break
        stage = rule.stage
        if not _passes(plan, sheet, rule, before.get(rule.path or "")):
            found.append(f"{rule.type} {rule.path or rule.command}")
    return True, found, True


def _skip_command(plan: Plan, sheet: SheetPlan) -> bool:
    if sheet.skip_when_command is None:
        return False
    text = fill_command(sheet.skip_when_command.command, placeholder_names(plan, sheet))
    return subprocess.run(["bash", "-c", text], cwd=plan.workspace, check=False).returncode == 0


def _stamp(plan: Plan, sheet: SheetPlan, rule: ValidationRule) -> int | None:
    path = Path(plan.workspace, fill(rule.path or "", placeholder_names(plan, sheet)))
    return path.stat().st_mtime_ns if path.exists() else None


def _passes(plan: Plan, sheet: SheetPlan, rule: ValidationRule, before: int | None) -> bool:
    names = placeholder_names(plan, sheet)
    path = Path(plan.workspace, fill(rule.path or "", names))
    pattern = fill(rule.pattern or "", names)
    if rule.type == "command_succeeds":
        text = fill_command(rule.command or "", names)
        done = subprocess.run(
            ["bash", "-c", text], cwd=plan.workspace, capture_output=True, check=False
        )
        return done.returncode == 0
    if not path.exists():
        return False
    if rule.type == "file_modified":
        return path.stat().st_mtime_ns != before
    if rule.type == "content_contains":
        return pattern in path.read_text()
    if rule.type == "content_regex":
        return re.search(pattern, path.read_text(), re.MULTILINE) is not None
    return True

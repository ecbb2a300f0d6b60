"""Sections of the models as the plan's plain data. Equal parts become one object."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from marianne.model.document import PathPart
from marianne.model.errors import did_you_mean
from marianne.model.limits import SheetLimits
from marianne.model.plan import (
    CrossSheet,
    Injection,
    RetryPolicy,
    SkipCommand,
    ValidationRule,
)
from marianne.model.sandbox import Sandbox
from marianne.model.slurm import SlurmSheet
from marianne.score import condition as conditions
from marianne.score import models
from marianne.score.models_rules import Rule
from marianne.score.placeholders import named_in
from marianne.score.report import Report
from marianne.score.variables import BUILTIN_NAMES
from marianne.walls.asked import from_map, stricter, to_map

# The names whose values are integers for every sheet.
CONDITION_NAMES = (
    "sheet_num",
    "total_sheets",
    "stage",
    "movement",
    "total_stages",
    "total_movements",
    "instance",
    "voice",
    "fan_count",
    "voice_count",
    "start_item",
    "end_item",
)
DEFAULT_RETRIES = 3
DEFAULT_RECHECKS = 3


def retry_policy(section: models.Retry | None, *, script: bool, raw: bool) -> RetryPolicy:
    """The policy of a sheet.

    A script that asks for none has no retries. A raw prompt cannot be told what is missing, so a
    partial pass of its checks is a plain failure unless completion attempts are asked for.
    """
    given = section if section is not None else models.Retry(max_retries=0 if script else None)
    asked = section is not None and "max_completion_attempts" in section.model_fields_set
    return RetryPolicy(
        max_retries=DEFAULT_RETRIES if given.max_retries is None else given.max_retries,
        base_delay=given.base_delay_seconds,
        max_delay=given.max_delay_seconds,
        exponential_base=given.exponential_base,
        jitter=given.jitter,
        max_completion_attempts=0 if raw and not asked else given.max_completion_attempts,
        completion_delay=given.completion_delay_seconds,
        completion_threshold_percent=given.completion_threshold_percent,
    )


def resources(
    score: models.Resources, own: models.Resources | None = None, cpus: float | None = None
) -> dict[str, Any]:
    """What a sheet takes and where it may run: what it says itself goes before the score."""
    given = {
        name: value
        for section in (score, own)
        if section is not None
        for name, value in section
        if value is not None
    }
    if cpus is not None:
        given["cpus"] = cpus
    return given | {"labels": tuple(given["labels"])} if "labels" in given else given


def limits(
    score: SheetLimits | None, own: SheetLimits | None = None, memory_mb: int | None = None
) -> dict[str, Any]:
    """What a sheet may use: what it says itself goes before the score."""
    given: dict[str, Any] = {}
    for section in (score, own):
        given |= section.given if section is not None else {}
    memory = memory_mb if memory_mb is not None else given.pop("max_memory_mb", None)
    given.pop("max_memory_mb", None)
    return {"max_memory_mb": memory, "limits": given or None}


def sandbox(score: Sandbox | None, own: Sandbox | None = None) -> dict[str, Any] | None:
    """What a sheet is kept from by the score and by itself; None where nobody says anything."""
    if score is None and own is None:
        return None
    both = stricter(*(from_map(one.as_map()) if one else None for one in (score, own)))
    return to_map(both) if both is not None and both.restricts else None


def slurm(score: SlurmSheet | None, own: SlurmSheet | None = None) -> dict[str, Any] | None:
    """What a sheet wants of Slurm: what it says itself goes before the score."""
    if score is None and own is None:
        return None
    return {name: value for one in (score, own) if one for name, value in one.given().items()}


def cross_sheet(section: models.CrossSheet | None) -> CrossSheet | None:
    """What a sheet sees of earlier ones, or None."""
    if section is None:
        return None
    return CrossSheet(
        auto_capture_stdout=section.auto_capture_stdout,
        max_output_chars=section.max_output_chars,
        lookback_sheets=section.lookback_sheets,
        capture_files=tuple(section.capture_files),
    )


def injections(sections: Sequence[models.Injection]) -> tuple[Injection, ...]:
    """The files and directories put into a prompt."""
    return tuple(
        Injection(item.file or item.directory or "", item.kind, item.directory is not None)
        for item in sections
    )


def skip_command(section: models.SkipCommand | None) -> SkipCommand | None:
    """The command that can skip a sheet, or None."""
    if section is None:
        return None
    return SkipCommand(section.command, section.timeout_seconds, section.description)


class RuleSet:
    """The rules of one list, of which each sheet gets those whose condition it meets.

    ``recheck`` is how often a failing file check without ``retry_count`` is looked at again; a
    failing command is run again only where ``retry_count`` asks for it.
    """

    def __init__(
        self,
        rules: Sequence[Rule],
        path: Sequence[PathPart],
        report: Report,
        variables: Mapping[str, object],
        *,
        recheck: int,
    ) -> None:
        names = {*CONDITION_NAMES, *(k for k, v in variables.items() if isinstance(v, int))}
        known = {*BUILTIN_NAMES, "today", *variables}
        self._rules: list[tuple[ValidationRule, str | None]] = []
        self._shared: dict[tuple[int, ...], tuple[ValidationRule, ...]] = {}
        for index, rule in enumerate(rules):
            condition = rule.condition
            if rule.sheet is not None:
                own = f"sheet_num == {rule.sheet}"
                condition = f"{own} and {condition}" if condition else own
            self._rules.append((_rule(rule, condition, recheck), condition))
            if rule.path and "{" in rule.path:
                _check_path(rule.path, known, [*path, index, "path"], report)
            if rule.condition:
                _check_condition(rule.condition, names, [*path, index, "condition"], report)
        self._plain = all(condition is None for _, condition in self._rules)
        self._all = tuple(rule for rule, _ in self._rules)

    def for_sheet(self, names: Mapping[str, object]) -> tuple[ValidationRule, ...]:
        """The rules that apply to the sheet with these names, in stage order."""
        if self._plain:
            return self.every()
        return self._ordered(
            tuple(
                index
                for index, (_, condition) in enumerate(self._rules)
                if condition is None or conditions.applies(condition, names)
            )
        )

    def every(self) -> tuple[ValidationRule, ...]:
        """All of them, in stage order."""
        return self._ordered(tuple(range(len(self._all))))

    def _ordered(self, chosen: tuple[int, ...]) -> tuple[ValidationRule, ...]:
        known = self._shared.get(chosen)
        if known is None:
            rules = [self._all[index] for index in chosen]
            known = self._shared[chosen] = tuple(sorted(rules, key=lambda rule: rule.stage))
        return known


def _rule(rule: Rule, condition: str | None, recheck: int) -> ValidationRule:
    default = 0 if rule.type == "command_succeeds" else recheck
    return ValidationRule(
        type=rule.type,
        path=rule.path,
        pattern=rule.pattern,
        command=rule.command,
        condition=condition,
        stage=rule.stage,
        description=rule.description,
        retry_count=default if rule.retry_count is None else rule.retry_count,
        retry_delay_ms=rule.retry_delay_ms,
        timeout_seconds=rule.timeout_seconds,
        working_directory=rule.working_directory,
    )


def _check_path(path: str, known: set[str], place: Sequence[PathPart], report: Report) -> None:
    """A path has few reasons to hold braces: a name in them that is unknown is likely a typo."""
    for name in named_in(path):
        if name not in known:
            line, _ = report.document.locate(place)
            hint = did_you_mean(name, known)
            tail = f" ({hint})" if hint else ""
            report.warn(f"line {line}: '{{{name}}}' in a path is unknown: it stays as it is{tail}")


def _check_condition(
    condition: str, names: set[str], path: Sequence[PathPart], report: Report
) -> None:
    terms = conditions.parse(condition)
    line, _ = report.document.locate(path)
    if terms is None:
        report.warn(f"line {line}: the condition '{condition}' cannot be read: it always applies")
        return
    for name, _, _ in terms:
        if name not in names:
            hint = did_you_mean(name, names)
            tail = f" ({hint})" if hint else ""
            report.warn(
                f"line {line}: the condition's '{name}' is unknown: it always applies{tail}"
            )

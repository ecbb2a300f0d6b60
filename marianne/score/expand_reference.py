"""The reference's form to sheets."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from marianne.model.document import PathPart
from marianne.model.plan import Instrument, Prompt, RetryPolicy, SheetPlan
from marianne.score import parts
from marianne.score.endings import AFTER_CANCEL_SECONDS, wait_for_all
from marianne.score.expand import Expansion, make_cells
from marianne.score.expand_short import ReadFile
from marianne.score.graph import MAX_SHEETS, Cell, Stage
from marianne.score.models import InstrumentConfig, Retry
from marianne.score.models_reference import Movement, ReferenceScore
from marianne.score.params import Given
from marianne.score.report import Report
from marianne.score.resolve import Resolver

LEGACY_DEFAULT = "claude_cli"
_NO_MOVEMENT = Movement()


class ReferenceExpander:
    """Expands one score of the reference's form."""

    def __init__(
        self,
        score: ReferenceScore,
        report: Report,
        resolver: Resolver,
        given: Given,
        read_file: ReadFile,
    ) -> None:
        self._score = score
        self._sheet = score.sheet
        self._report = report
        self._resolver = resolver
        self._read_file = read_file
        self._variables = given.over(score.prompt.variables)
        self._mapped: dict[int, str] = {}
        self._policies: dict[bool, RetryPolicy] = {
            raw: parts.retry_policy(score.retry or Retry(), script=False, raw=raw)
            for raw in (True, False)
        }

    def expand(self) -> Expansion:
        """All sheets, numbered stage by stage."""
        stages = self._stages()
        cells = (
            make_cells(
                stages,
                self._report,
                lambda num: ["sheet", "dependencies", num],
                lambda num: ["sheet", "fan_out", num],
                str,
            )
            if stages
            else []
        )
        if not cells:
            return Expansion([], 0, {})
        self._check_keys(len(stages), len(cells))
        self._read_instrument_map(len(cells))
        prompt = self._prompt()
        path: Sequence[PathPart] = ["prompt", "template"]
        sheets = self._sheets(stages, cells, prompt)
        from_file = self._score.prompt.template_file is not None
        if from_file:
            path = ["prompt", "template_file"]
        return Expansion(sheets, len(stages), {s.num: path for s in stages}, from_file)

    def _stages(self) -> list[Stage]:
        section = self._sheet
        items = section.total_items - section.start_item + 1
        if items < 1:
            self._report.error(["sheet", "start_item"], "lies after total_items: nothing to do")
            return []
        count = -(-items // section.size)
        if count > MAX_SHEETS:
            self._report.error(
                ["sheet", "total_items"],
                f"would make {count:,} sheets; at most {MAX_SHEETS:,} are allowed",
            )
            return []
        if section.fan_out and section.size != 1:
            self._report.error(["sheet", "fan_out"], "fan_out needs 'size: 1'", key=True)
        if section.fan_out and section.start_item != 1:
            self._report.error(["sheet", "fan_out"], "fan_out needs 'start_item: 1'", key=True)
        self._check_dependencies(count)
        chain = not section.dependencies
        stages = []
        for num in range(1, count + 1):
            needs = [num - 1] if chain and num > 1 else section.dependencies.get(num, [])
            known = sorted({need for need in needs if need <= count and need != num})
            stages.append(Stage(num, tuple(known), section.fan_out.get(num, 1)))
        closing = {num for num, when in section.when.items() if when != "succeeded"}
        return wait_for_all(stages, closing) if closing else stages

    def _check_dependencies(self, count: int) -> None:
        what = "stages" if self._sheet.fan_out else "sheets"
        for num, needs in self._sheet.dependencies.items():
            path: list[PathPart] = ["sheet", "dependencies", num]
            if num > count:
                self._report.error(path, f"there are {count} {what}, no number {num}", key=True)
            for index, need in enumerate(needs):
                if need == num:
                    self._report.error([*path, index], f"{num} depends on itself")
                elif need > count:
                    message = f"there are {count} {what}, no number {need}"
                    self._report.error([*path, index], message)
        for num in self._sheet.fan_out:
            if num > count:
                message = f"there are {count} stages, no number {num}"
                self._report.error(["sheet", "fan_out", num], message, key=True)

    def _check_keys(self, stages: int, sheets: int) -> None:
        """Warns of numbers that no stage or sheet has, since what they say has no effect."""
        section = self._sheet
        by_stage: dict[str, Iterable[int]] = {
            "movements": self._score.movements,
            "sheet.skip_when": section.skip_when,
            "sheet.skip_when_command": section.skip_when_command,
            "sheet.when": section.when,
        }
        by_sheet: dict[str, Iterable[int]] = {
            "sheet.cadenzas": section.cadenzas,
            "sheet.descriptions": section.descriptions,
            "sheet.per_sheet_instruments": section.per_sheet_instruments,
            "sheet.per_sheet_instrument_config": section.per_sheet_instrument_config,
            "sheet.per_sheet_fallbacks": section.per_sheet_fallbacks,
        }
        for limit, kind, maps in ((stages, "stage", by_stage), (sheets, "sheet", by_sheet)):
            for name, numbers in maps.items():
                for num in numbers:
                    if num > limit:
                        self._report.warn(f"{name}[{num}]: there is no {kind} {num}")

    def _read_instrument_map(self, sheets: int) -> None:
        for name, numbers in self._sheet.instrument_map.items():
            for index, num in enumerate(numbers):
                path: list[PathPart] = ["sheet", "instrument_map", name, index]
                if num > sheets:
                    self._report.error(path, f"there are {sheets} sheets, no number {num}")
                elif num in self._mapped:
                    other = self._mapped[num]
                    self._report.error(path, f"sheet {num} is mapped to '{other}' already")
                else:
                    self._mapped[num] = name

    def _prompt(self) -> Prompt:
        section = self._score.prompt
        text = section.template
        if section.template_file is not None:
            text = self._read_file(section.template_file, ["prompt", "template_file"])
        if text is None:
            self._report.warn("prompt: no template: every sheet gets an empty prompt")
        return Prompt(text or "", False, self._variables, section.stakes, section.thinking_method)

    def _sheets(self, stages: list[Stage], cells: list[Cell], prompt: Prompt) -> list[SheetPlan]:
        score, section = self._score, self._sheet
        rules = parts.RuleSet(
            score.validations,
            ["validations"],
            self._report,
            self._variables,
            recheck=parts.DEFAULT_RECHECKS,
        )
        idle = score.stale_detection
        cross, env = parts.cross_sheet(score.cross_sheet), dict(score.env) or None
        prelude, takes = parts.injections(section.prelude), parts.resources(score.resources)
        takes |= parts.limits(score.limits)
        takes["sandbox"] = parts.sandbox(score.sandbox)
        takes["slurm"] = parts.slurm(score.slurm)
        skips = {num: parts.skip_command(item) for num, item in section.skip_when_command.items()}
        names = {"total_sheets": len(cells), "total_stages": len(stages)}
        names["total_movements"] = len(stages)
        made = []
        for cell in cells:
            count = stages[cell.stage - 1].count
            instrument, fallbacks, timeout = self._player(cell)
            if timeout is None and cell.stage in section.after_cancel:
                timeout = AFTER_CANCEL_SECONDS
            start = section.start_item + (cell.num - 1) * section.size
            # With fan_out an item is a stage: its instances all work on the same one.
            first = cell.stage if section.fan_out else start
            last = first if section.fan_out else min(start + section.size - 1, section.total_items)
            cadenza = section.cadenzas.get(cell.num)
            numbers = _numbers(cell, count, first, last)
            made.append(
                SheetPlan(
                    num=cell.num,
                    name=self._name(cell, count),
                    stage=cell.stage,
                    instrument=instrument,
                    prompt=prompt,
                    needs=cell.needs,
                    instance=cell.instance,
                    fan_count=count,
                    start_item=first,
                    end_item=last,
                    fallbacks=fallbacks,
                    validations=rules.for_sheet({**self._variables, **names, **numbers}),
                    retry=self._policies[instrument.raw_prompt],
                    timeout_seconds=timeout,
                    idle_timeout_seconds=idle.idle_timeout_seconds if idle.enabled else None,
                    cross_sheet=cross,
                    injections=prelude + parts.injections(cadenza) if cadenza else prelude,
                    skip_when=section.skip_when.get(cell.stage),
                    skip_when_command=skips.get(cell.stage),
                    description=section.descriptions.get(cell.num),
                    env=env,
                    cwd=score.cwd,
                    when=section.when.get(cell.stage, "succeeded"),
                    after_cancel=cell.stage in section.after_cancel,
                    **takes,
                )
            )
        return made

    def _name(self, cell: Cell, count: int) -> str:
        movement = self._score.movements.get(cell.stage, _NO_MOVEMENT)
        if movement.name:
            return movement.name if count == 1 else f"{movement.name}-{cell.instance}"
        if not self._sheet.fan_out:
            return f"sheet-{cell.num}"
        return f"stage-{cell.stage}" if count == 1 else f"stage-{cell.stage}-{cell.instance}"

    def _player(self, cell: Cell) -> tuple[Instrument, tuple[Instrument, ...], float | None]:
        """Instrument, fallbacks and time limit of one sheet, in the documented order."""
        score, section = self._score, self._sheet
        movement = score.movements.get(cell.stage, _NO_MOVEMENT)
        name, path = self._instrument_name(cell, movement)
        own = section.per_sheet_instrument_config.get(cell.num)
        below = [self._backend_config(cell.num), score.instrument_config]
        below.append(movement.instrument_config)
        config = self._resolver.merge(name, below, [own] if own else [])
        instrument = self._resolver.instrument(name, config, path)
        fallback_path: list[PathPart] = ["instrument_fallbacks"]
        fallbacks = score.instrument_fallbacks
        if cell.num in section.per_sheet_fallbacks:
            fallbacks = section.per_sheet_fallbacks[cell.num]
            fallback_path = ["sheet", "per_sheet_fallbacks", cell.num]
        elif movement.instrument_fallbacks is not None:
            fallbacks = movement.instrument_fallbacks
            fallback_path = ["movements", cell.stage, "instrument_fallbacks"]
        resolved = self._resolver.fallbacks(fallbacks, fallback_path) if fallbacks else ()
        return instrument, resolved, self._timeout(cell, name, config)

    def _timeout(self, cell: Cell, name: str, config: dict[str, Any]) -> float | None:
        backend = self._score.backend
        if backend is not None:
            override = backend.sheet_overrides.get(cell.num)
            if override is not None and override.timeout_seconds:
                return override.timeout_seconds
            if cell.num in backend.timeout_overrides:
                return backend.timeout_overrides[cell.num]
        default = backend.timeout_seconds if backend is not None else None
        return self._resolver.timeout(name, config, cell.num, default)

    def _instrument_name(self, cell: Cell, movement: Movement) -> tuple[str, list[PathPart]]:
        section = self._sheet
        if cell.num in section.per_sheet_instruments:
            path: list[PathPart] = ["sheet", "per_sheet_instruments", cell.num]
            return section.per_sheet_instruments[cell.num], path
        if cell.num in self._mapped:
            return self._mapped[cell.num], ["sheet", "instrument_map", self._mapped[cell.num]]
        if movement.instrument:
            return movement.instrument, ["movements", cell.stage, "instrument"]
        if self._score.instrument:
            return self._score.instrument, ["instrument"]
        if self._score.backend is not None:
            return self._score.backend.type, ["backend", "type"]
        return LEGACY_DEFAULT, []

    def _backend_config(self, num: int) -> InstrumentConfig:
        """What the legacy section says of the instrument, weakest of all settings."""
        backend = self._score.backend
        if backend is None:
            return InstrumentConfig()
        keys = (
            "skip_permissions",
            "disable_mcp",
            "allowed_tools",
            "system_prompt_file",
            "working_directory",
        )
        given: dict[str, Any] = {
            key: getattr(backend, key) for key in keys if key in backend.model_fields_set
        }
        if backend.cli_extra_args:
            given["cli_extra_args"] = backend.cli_extra_args
        override = backend.sheet_overrides.get(num)
        models = [backend.model, backend.cli_model]
        if override is not None:
            models += [override.model, override.cli_model]
        chosen = [model for model in models if model]
        if chosen:
            given["model"] = chosen[-1]
        return InstrumentConfig(**given)


def _numbers(cell: Cell, count: int, first: int, last: int) -> dict[str, int]:
    """What a rule's condition may ask of a sheet, under both of its names."""
    return {
        "sheet_num": cell.num,
        "stage": cell.stage,
        "movement": cell.stage,
        "instance": cell.instance,
        "voice": cell.instance,
        "fan_count": count,
        "voice_count": count,
        "start_item": first,
        "end_item": last,
    }

"""The short form to sheets."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from marianne.model.document import PathPart
from marianne.model.errors import did_you_mean
from marianne.model.plan import Instrument, ListSource, Prompt, SheetPlan, ValidationRule
from marianne.score import parts
from marianne.score.endings import AFTER_CANCEL_SECONDS, wait_for_all
from marianne.score.expand import Expansion, make_cells
from marianne.score.fan import Fan, fan_of
from marianne.score.graph import Cell, Stage
from marianne.score.growth import UNKNOWN_ITEM
from marianne.score.models import InstrumentConfig
from marianne.score.models_short import ItemSource, ShortScore, ShortSheet
from marianne.score.params import Given
from marianne.score.report import Report
from marianne.score.resolve import Resolver

ReadFile = Callable[[str, list[PathPart]], str]


class ShortExpander:
    """Expands one score; everything that is equal for a stage's instances is made once."""

    def __init__(
        self,
        score: ShortScore,
        report: Report,
        resolver: Resolver,
        given: Given,
        read_file: ReadFile,
    ) -> None:
        self._score = score
        self._report = report
        self._resolver = resolver
        self._read_file = read_file
        self._fans: list[Fan] = []
        self._lists: dict[int, ListSource] = {}
        self._no_rules: tuple[ValidationRule, ...] = ()
        self._given = given
        self._variables = given.over(score.variables)
        self._env = dict(score.env) or None
        self._sandbox = parts.sandbox(score.sandbox)
        self._cross = parts.cross_sheet(score.cross_sheet)
        self._prelude = parts.injections(score.inject)
        self._slurm = parts.slurm(score.slurm)
        self._policies = {
            (script, raw): parts.retry_policy(score.retry, script=script, raw=raw)
            for script in (True, False)
            for raw in (True, False)
        }
        # The settings of entries that have none of their own.
        self._configs: dict[tuple[str, bool], dict[str, Any]] = {}
        idle = score.stale_detection
        self._idle = idle.idle_timeout_seconds if idle.enabled else None

    def expand(self) -> Expansion:
        """All sheets, in the order of the list."""
        score = self._score.sheets
        stages = self._stages()
        cells = make_cells(
            stages,
            self._report,
            lambda num: ["sheets", num - 1, "needs"],
            lambda num: ["sheets", num - 1, self._fans[num - 1].where],
            lambda num: score[num - 1].name,
        )
        sheets: list[SheetPlan] = []
        paths: dict[int, list[PathPart]] = {}
        start = 0
        for stage in stages:
            if not cells:
                break
            own = score[stage.num - 1]
            sheets += self._sheets(own, cells[start : start + stage.count], len(cells), len(stages))
            paths[stage.num] = ["sheets", stage.num - 1, "run" if own.run is not None else "prompt"]
            start += stage.count
        return Expansion(sheets, len(stages), dict(paths), lists=self._lists)

    def _stages(self) -> list[Stage]:
        numbers: dict[str, int] = {}
        for index, sheet in enumerate(self._score.sheets):
            if sheet.name in numbers:
                first = self._report.document.locate(["sheets", numbers[sheet.name] - 1, "name"])[0]
                self._report.error(
                    ["sheets", index, "name"],
                    f"two sheets are called '{sheet.name}'",
                    f"the first is on line {first}",
                )
            else:
                numbers[sheet.name] = index + 1
        stages = []
        for index, sheet in enumerate(self._score.sheets):
            needs: list[int] = []
            for position, name in enumerate(sheet.needs):
                number = numbers.get(name)
                path: list[PathPart] = ["sheets", index, "needs", position]
                if number is None and self._report.knows_names():
                    hint = did_you_mean(name, numbers)
                    self._report.error(path, f"no sheet is called '{name}'", hint)
                elif name == sheet.name:
                    self._report.error(path, f"'{name}' needs itself")
                elif number is not None and number not in needs:
                    needs.append(number)
            fan = fan_of(sheet, ["sheets", index], self._report)
            self._fans.append(fan)
            stages.append(Stage(index + 1, tuple(sorted(needs)), fan.count))
        closing = {n for n, own in enumerate(self._score.sheets, 1) if own.when != "succeeded"}
        return wait_for_all(stages, closing) if closing else stages

    def _sheets(
        self, own: ShortSheet, cells: list[Cell], total: int, stages: int
    ) -> list[SheetPlan]:
        """The instances of one entry of the list; none if it has no instrument."""
        base: list[PathPart] = ["sheets", cells[0].stage - 1]
        name = self._instrument_name(own, base)
        if name is None:
            return []
        config = self._config(own, name)
        variables = self._variables
        if own.variables:
            variables = self._given.over(self._score.variables, own.variables)
        common = self._common(own, name, config, variables, base)
        common |= {"stage": cells[0].stage, "fan_count": len(cells)}
        fan = self._fans[cells[0].stage - 1]
        rules = (
            parts.RuleSet(
                own.rules, [*base, "validate"], self._report, variables | fan.names(), recheck=0
            )
            if own.rules
            else None
        )
        made = []
        for cell in cells:
            timeout = own.timeout or self._resolver.timeout(
                name, config, cell.num, self._score.timeout
            )
            if own.after_cancel and timeout is None:
                timeout = AFTER_CANCEL_SECONDS
            made.append(
                SheetPlan(
                    num=cell.num,
                    name=fan.name(own.name, cell.instance),
                    needs=cell.needs,
                    instance=cell.instance,
                    start_item=cell.num,
                    end_item=cell.num,
                    item=fan.item(cell.instance),
                    timeout_seconds=timeout,
                    validations=(
                        rules.for_sheet(
                            variables
                            | fan.own_names(cell.instance)
                            | _numbers(cell, len(cells), total, stages)
                        )
                        if rules
                        else self._no_rules
                    ),
                    **common,
                )
            )
        if isinstance(own.each, ItemSource):
            (each,) = made
            every = replace(each, validations=rules.every() if rules else ())
            return [self._list(own, own.each, every, base)]
        return made

    def _list(
        self, own: ShortSheet, source: ItemSource, each: SheetPlan, base: list[PathPart]
    ) -> SheetPlan:
        """The sheet that makes the list; ``each`` is what every item becomes."""
        instrument = each.instrument
        path: list[PathPart] = [*base, "each", source.kind]
        if own.run is None:
            settings = self._resolver.merge("shell", (), ())
            instrument = self._resolver.instrument("shell", settings, path)
        script = source.kind == "command"
        line = self._report.document.first_line(path) if script else 0
        retry = self._policies[True, True]
        self._lists[each.num] = ListSource(
            source.kind,
            replace(each, name=f"{own.name}[{UNKNOWN_ITEM}]", needs=(each.num,), item=UNKNOWN_ITEM),
            source.max_items,
        )
        return replace(
            each,
            instrument=instrument,
            prompt=Prompt(source.text, script, each.prompt.variables, line=line),
            fallbacks=(),
            validations=(),
            retry=parts.retry_policy(own.retry, script=True, raw=True) if own.retry else retry,
            timeout_seconds=source.timeout,
            idle_timeout_seconds=None,
            max_memory_mb=None,
            limits=None,
            cpus=1.0,
            memory_mb=0,
            gpus=0,
            slurm=None,
            injections=(),
            skip_when=None,
            skip_when_command=None,
            inputs=(),
            outputs=(),
            env=self._env,
            cwd=self._score.cwd,
        )

    def _common(
        self,
        own: ShortSheet,
        name: str,
        config: dict[str, Any],
        variables: dict[str, Any],
        base: list[PathPart],
    ) -> dict[str, Any]:
        """What all instances of an entry have in common."""
        instrument = self._resolver.instrument(name, config, self._instrument_path(own, base))
        script = own.run is not None
        line = self._report.document.first_line([*base, "run"]) if script else 0
        return {
            "instrument": instrument,
            "prompt": Prompt(self._text(own, base), script, variables, line=line),
            "fallbacks": self._fallbacks(own, base),
            "retry": (
                parts.retry_policy(own.retry, script=script, raw=instrument.raw_prompt)
                if own.retry
                else self._policies[script, instrument.raw_prompt]
            ),
            "idle_timeout_seconds": own.idle_timeout or self._idle,
            **parts.limits(self._score.limits, own.limits, own.max_memory_mb),
            **parts.resources(self._score.resources, own.resources, own.cpus),
            "sandbox": (
                parts.sandbox(self._score.sandbox, own.sandbox) if own.sandbox else self._sandbox
            ),
            "slurm": parts.slurm(self._score.slurm, own.slurm) if own.slurm else self._slurm,
            "executor": own.executor,
            "cross_sheet": parts.cross_sheet(own.cross_sheet) if own.cross_sheet else self._cross,
            "injections": (
                self._prelude + parts.injections(own.inject) if own.inject else self._prelude
            ),
            "skip_when": own.skip_when,
            "skip_when_command": parts.skip_command(own.skip_when_command),
            "description": own.description,
            "env": {**self._score.env, **own.env} if own.env else self._env,
            "cwd": own.cwd or self._score.cwd,
            "inputs": tuple(own.inputs),
            "outputs": tuple(own.outputs),
            "makes_nothing": "outputs" in own.model_fields_set and not own.outputs,
            "when": own.when,
            "after_cancel": own.after_cancel,
        }

    def _config(self, own: ShortSheet, name: str) -> dict[str, Any]:
        """The settings of the entry's instrument; the score's are for those that get a prompt."""
        if own.model or own.instrument_config.model_fields_set:
            return self._own_config(own, name)
        kind = name, own.run is not None
        if kind not in self._configs:
            self._configs[kind] = self._own_config(own, name)
        return self._configs[kind]

    def _own_config(self, own: ShortSheet, name: str) -> dict[str, Any]:
        model = InstrumentConfig(model=own.model) if own.model else InstrumentConfig()
        above = () if own.run is not None else (self._score.instrument_config,)
        return self._resolver.merge(name, above, (own.instrument_config, model))

    def _text(self, own: ShortSheet, base: list[PathPart]) -> str:
        text = own.run if own.run is not None else own.prompt
        if text is None:
            text = self._read_file(own.prompt_file or "", [*base, "prompt_file"])
        return text

    def _fallbacks(self, own: ShortSheet, base: list[PathPart]) -> tuple[Instrument, ...]:
        """Those of the entry, else those of the score; a script has none but its own."""
        fallbacks = own.fallbacks
        path: list[PathPart] = [*base, "fallbacks"]
        if fallbacks is None:
            fallbacks = [] if own.run is not None else self._score.instrument_fallbacks
            path = ["instrument_fallbacks"]
        return self._resolver.fallbacks(fallbacks, path) if fallbacks else ()

    def _instrument_name(self, own: ShortSheet, base: list[PathPart]) -> str | None:
        if own.run is not None:
            if own.instrument is not None:
                self._report.error(
                    [*base, "instrument"],
                    "'run' is played by the built-in shell",
                    "give the text as 'prompt' to have another instrument play it",
                )
                return None
            return "shell"
        name = own.instrument or self._score.instrument
        if name is None and self._score.backend is not None:
            name = self._score.backend.type
        if name is None:
            self._report.error(
                [*base, "prompt"],
                "a prompt needs an instrument",
                "add 'instrument: NAME' to the sheet or at the top",
            )
        return name

    @staticmethod
    def _instrument_path(own: ShortSheet, base: list[PathPart]) -> list[PathPart]:
        return [*base, "instrument"] if own.instrument else ["instrument"]


def _numbers(cell: Cell, count: int, total: int, stages: int) -> dict[str, int]:
    """The integers that conditions speak of."""
    return {
        "sheet_num": cell.num,
        "total_sheets": total,
        "stage": cell.stage,
        "movement": cell.stage,
        "total_stages": stages,
        "total_movements": stages,
        "instance": cell.instance,
        "voice": cell.instance,
        "fan_count": count,
        "voice_count": count,
        "start_item": cell.num,
        "end_item": cell.num,
    }

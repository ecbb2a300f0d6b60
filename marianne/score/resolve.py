"""Which instrument plays a sheet, with which settings and for how long at most."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from marianne.instruments.planned import from_profile
from marianne.instruments.profile import Profile
from marianne.instruments.registry import NO_PROGRAM, Registry, why_unavailable
from marianne.model.document import PathPart
from marianne.model.errors import did_you_mean
from marianne.model.plan import Instrument
from marianne.score.models import InstrumentAlias, InstrumentConfig
from marianne.score.report import Report

# Settings that say how long a sheet may take; they belong to the sheet, not to the instrument.
_OF_THE_SHEET = frozenset({"timeout_seconds", "timeout_overrides"})
_KNOWN = frozenset(InstrumentConfig.model_fields)


class Resolver:
    """Names to instruments, for one score. Equal instruments are the same object."""

    def __init__(
        self,
        registry: Registry,
        aliases: dict[str, InstrumentAlias],
        report: Report,
        search_path: str | None,
    ) -> None:
        self._registry = registry
        self._aliases = aliases
        self._report = report
        self._search_path = search_path
        self._made: dict[str, Instrument] = {}
        self._unknown: set[str] = set()
        self._missing: set[str] = set()

    def merge(
        self,
        name: str,
        below: Iterable[InstrumentConfig],
        above: Iterable[InstrumentConfig] = (),
    ) -> dict[str, Any]:
        """The settings: ``below``, then the alias's own, then ``above``; the last one wins."""
        alias = self._aliases.get(name)
        chain = [*below, *([alias.config] if alias else []), *above]
        merged: dict[str, Any] = {}
        for config in chain:
            given = config.given()
            if "model" in given or "cli_model" in given:
                merged.pop("model", None)
                merged.pop("cli_model", None)
            merged.update(given)
        return merged

    def timeout(
        self, name: str, config: dict[str, Any], num: int, score_default: float | None
    ) -> float | None:
        """The time limit of sheet ``num``: its override, the settings, the score, the profile."""
        override = (config.get("timeout_overrides") or {}).get(num)
        given = override or config.get("timeout_seconds") or score_default
        if given is not None:
            return float(given)
        profile = self._profile(name)
        return profile.default_timeout_seconds if profile else 1800.0

    def instrument(self, name: str, config: dict[str, Any], path: Sequence[PathPart]) -> Instrument:
        """The instrument of that name. An unknown name is reported, and stands as unavailable."""
        settings = {k: v for k, v in config.items() if k not in _OF_THE_SHEET}
        key = json.dumps([name, settings], sort_keys=True, default=str) if settings else name
        if key not in self._made:
            self._made[key] = self._make(name, settings, path)
        return self._made[key]

    def fallbacks(self, names: Sequence[str], path: Sequence[PathPart]) -> tuple[Instrument, ...]:
        """The fallbacks in order, each with its own alias's settings, none of the primary's."""
        return tuple(
            self.instrument(name, self.merge(name, ()), [*path, index])
            for index, name in enumerate(names)
        )

    def _warn_of(self, target: str, reason: str, path: Sequence[PathPart]) -> None:
        """Once for each instrument, where it is first asked for."""
        if target not in self._missing:
            self._missing.add(target)
            self._report.warn_at(path, f"the instrument '{target}' is unavailable: {reason}")

    def _profile(self, name: str) -> Profile | None:
        alias = self._aliases.get(name)
        return self._registry.get(alias.profile if alias else name)

    def _make(self, name: str, config: dict[str, Any], path: Sequence[PathPart]) -> Instrument:
        alias = self._aliases.get(name)
        target = alias.profile if alias else name
        entry = self._registry.entry(target)
        if entry is None and target in NO_PROGRAM:
            reason = NO_PROGRAM[target]
            self._warn_of(target, reason, path)
            return Instrument(target, raw_prompt=False, unavailable=reason, max_concurrent=4)
        if entry is None:
            where = ["instruments", name, "profile"] if alias else path
            if target not in self._unknown:
                known = [*self._registry.names(), *self._aliases]
                hint = did_you_mean(target, known) or "'marianne instruments list' names them"
                self._report.error(where, f"no instrument is called '{target}'", hint)
            self._unknown.add(target)
            return Instrument(target, unavailable="no such instrument")
        profile = entry.profile
        for remark in entry.remarks:
            self._report.warn(remark.render())
        unavailable = why_unavailable(profile, self._search_path)
        if unavailable:
            self._warn_of(target, unavailable, path)
        for key in sorted(set(config) - _KNOWN):
            self._report.warn(f"instrument_config.{key}: accepted, no effect")
        model = config.get("model") or config.get("cli_model") or profile.default_model
        settings = {k: v for k, v in config.items() if k in _KNOWN - {"model", "cli_model"}}
        return from_profile(profile, model, settings, unavailable)

"""Each field of a profile changes what is run, read or shown, or is named as one without effect.

A case is a patch to the base profile. What it changes is looked for in everything that a person or
a job can see of a profile: its row in the list, the names it goes by, the command line with its
environment, what is read from outputs and errors, prompts, limits, prices.
"""

from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast, get_args

import pytest
import yaml
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from marianne.cli.commands.instruments import _row
from marianne.instruments.command import allowed_environment, build_command
from marianne.instruments.inert import WITHOUT_EFFECT
from marianne.instruments.output import diagnose, read_output
from marianne.instruments.probe import probe
from marianne.instruments.profile import IDLE, Profile
from marianne.instruments.registry import BUILTIN, Registry
from marianne.model.plan import Plan
from marianne.run.child import Ended
from marianne.run.outputs import Files
from marianne.run.tools import Tools
from marianne.score import load_plan
from marianne.score.prompt import render_prompt

DOCS = Path(__file__).parents[3] / "docs" / "scores.md"
BASE: dict[str, Any] = {"name": "agent", "cli": {"command": {"executable": "true"}}}
FLAGS = {"executable": "true", "prompt_via_stdin": False}
JSON: dict[str, Any] = {"cli": {"output": {"format": "json"}}}
LINES: dict[str, Any] = {"cli": {"output": {"format": "jsonl", "result_path": "text"}}}
HTTP = {"base_url": "https://models.invalid", "endpoint": "/v1", "auth_env_var": "KEY"}
MODEL = {"name": "m", "cost_per_1k_input": 1.0, "cost_per_1k_output": 2.0}
PRICED: dict[str, Any] = {
    "default_model": "m",
    "models": [MODEL],
    "cli": {"output": {"format": "json", "input_tokens_path": "in", "output_tokens_path": "out"}},
}

FILES = Files("/nowhere", 1, 1)
FILES.out = FILES.err = os.devnull

# field: what is written, over what besides the base profile
CASES: dict[str, tuple[Any, dict[str, Any]]] = {
    "name": ("another", {}),
    "display_name": ("Agent", {}),
    "aliases": (["also"], {}),
    "kind": ("http", {"http": HTTP}),
    "description": ("plays", {}),
    "raw_prompt": (True, {}),
    "default_timeout_seconds": (5.0, {}),
    "default_model": ("m", {"cli": {"command": {"model_flag": "--model"}}}),
    "max_concurrent": (2, {}),
    "limits.max_memory_mb": (64, {}),
    "limits.high_memory_mb": (64, {}),
    "limits.max_processes": (9, {}),
    "limits.max_cpus": (1.5, {}),
    "limits.cpu_weight": (50, {}),
    "limits.io_weight": (50, {}),
    "limits.best_effort": (True, {}),
    "sandbox.write": (["workspace"], {}),
    "sandbox.read": (["workspace"], {}),
    "sandbox.network": (False, {}),
    "sandbox.tmp": ("private", {}),
    "sandbox.isolate": (True, {}),
    "sandbox.when_missing": ("best-effort", {}),
    **{
        f"slurm.{word}": ("some", {})
        for word in ("partition", "account", "qos", "gres", "constraint", "reservation")
    },
    "slurm.time": ("2h", {}),
    "executor": ("cluster", {}),
    "slurm.batch": (False, {"slurm": {"qos": "low"}}),
    "models.name": ("other", PRICED),
    "models.cost_per_1k_input": (7.0, PRICED),
    "models.cost_per_1k_output": (7.0, PRICED),
    "models.max_concurrent": (3, PRICED),
    "cli.command.executable": ("false", {}),
    "cli.command.leading_flags": (["--first"], {}),
    "cli.command.subcommand": ("exec", {}),
    "cli.command.prompt_flag": ("-p", {"cli": {"command": FLAGS}}),
    "cli.command.prompt_via_stdin": (False, {}),
    "cli.command.prompt_via_file": (True, {}),
    "cli.command.stdin_sentinel": ("-", {}),
    "cli.command.model_flag": ("--model", {"default_model": "m"}),
    "cli.command.auto_approve_flag": ("--yes", {}),
    "cli.command.output_format_flag": ("--json", {}),
    "cli.command.output_format_value": (
        "json",
        {"cli": {"command": {"output_format_flag": "--format"}}},
    ),
    "cli.command.system_prompt_flag": ("--system", {}),
    "cli.command.allowed_tools_flag": ("--tools", {}),
    "cli.command.mcp_config_flag": ("--mcp", {}),
    "cli.command.mcp_disable_args": (["--no-mcp"], {}),
    "cli.command.timeout_flag": ("--timeout", {}),
    "cli.command.working_dir_flag": ("-C", {}),
    "cli.command.extra_flags": (["--last"], {}),
    "cli.command.env": ({"MODE": "batch"}, {}),
    "cli.command.required_env": (["KEY"], {}),
    "cli.output.format": ("json", {"cli": {"output": {"result_path": "text"}}}),
    "cli.output.result_path": ("text", JSON),
    "cli.output.error_path": ("error", JSON),
    "cli.output.completion_event_type": ("done", LINES),
    "cli.output.completion_event_filter": ({"in": 5}, LINES),
    "cli.output.input_tokens_path": ("in", JSON),
    "cli.output.output_tokens_path": ("out", JSON),
    "cli.output.cost_path": ("cost", JSON),
    "cli.output.aggregate_tokens": (
        True,
        {"cli": {"output": {**LINES["cli"]["output"], "input_tokens_path": "in"}}},
    ),
    "cli.errors.success_exit_codes": ([0, 7], {}),
    "cli.errors.rate_limit_patterns": (["slow down"], {}),
    "cli.errors.auth_error_patterns": (["who are you"], {}),
    "cli.errors.crash_patterns": (["panic"], {}),
    "cli.errors.stale_patterns": (["silence"], {}),
    "cli.errors.timeout_patterns": (["too late"], {}),
    "cli.errors.capacity_patterns": (["full house"], {}),
    "cli.errors.rate_limit_event_type": ("limit", LINES),
    "cli.errors.rate_limit_event_filter": (
        {"in": 99},
        {"cli": {**LINES["cli"], "errors": {"rate_limit_event_type": "limit"}}},
    ),
}

OUTPUTS = (
    '{"text": "a", "in": 5, "out": 3, "cost": 2, "error": "no"}',
    '{"type": "done", "text": "a", "in": 5}\n{"type": "step", "text": "b", "in": 6}\n',
    '{"type": "limit"}\n',
)
ERRORS = ("slow down", "who are you", "panic", "silence", "too late", "full house")
SCORE = """name: s
instrument: agent
sheets: [{name: a, prompt: p}]
instrument_config:
  {allowed_tools: [Read], system_prompt_file: /system, mcp_config: /mcp}
"""
ELSEWHERE = {"PATH": os.environ["PATH"], "KEY": "k", "OTHER": "o"}


def merged(base: Any, patch: Any) -> Any:
    if isinstance(base, dict) and isinstance(patch, dict):
        return {**base, **{key: merged(base.get(key), value) for key, value in patch.items()}}
    return patch


def written(field: str, value: Any, profile: dict[str, Any]) -> dict[str, Any]:
    """The profile with a value at a dotted name; in a list of models, at the first."""
    head, _, rest = field.partition(".")
    if head == "models":
        [model] = profile.get("models") or [MODEL]
        return {**profile, "models": [{**model, rest: value}]}
    for part in reversed(field.split(".")):
        value = {part: value}
    return dict(merged(profile, value))


def fields(model: type[BaseModel] = Profile, prefix: str = "") -> dict[str, FieldInfo]:
    """All fields that are no sections, by dotted name."""
    found: dict[str, FieldInfo] = {}
    for name, field in model.model_fields.items():
        kinds = [field.annotation, *get_args(field.annotation)]
        sections = [k for k in kinds if isinstance(k, type) and issubclass(k, BaseModel)]
        if sections:
            found |= fields(sections[0], f"{prefix}{name}.")
        else:
            found[prefix + name] = field
    return found


def read(profile: dict[str, Any], place: Path) -> Registry:
    (place / "agent.yaml").write_text(yaml.safe_dump(profile, sort_keys=False))
    registry = Registry.load(place, builtin=False)
    assert registry.problems == []
    return registry


def plan_of(registry: Registry, name: str = "agent") -> Plan:
    text = SCORE.replace("agent", name)
    return load_plan(
        None, text, base_dir="/nowhere", workspace=None, variables={}, instruments=registry
    )


def seen(registry: Registry) -> list[Any]:
    """All that is to be seen of the one profile, but the remarks on it."""
    [entry] = registry.entries.values()
    row = _row(registry, entry.profile.name)
    plan = plan_of(registry, entry.profile.name)
    sheet = plan.sheets[0]
    player = sheet.instrument
    found = [
        {**row, "warnings": None},
        registry.names(),
        player.max_concurrent,
        player.limits,
        player.sandbox,
        sheet.timeout_seconds,
        sheet.batch_options(player),
        player.executor,
    ]
    found += [
        render_prompt(plan, sheet),
        player.unavailable,
        asdict(probe(entry.profile, ELSEWHERE)),
    ]
    if player.command:
        command = build_command(player, "p", "/p", 9.0, "/w", ELSEWHERE)
        found += [asdict(command), allowed_environment(command, ELSEWHERE)]
    for out in OUTPUTS:
        found.append(read_output(player, out))
    for code in (0, 7):
        found.append(
            Tools().read(player, cast("Ended", SimpleNamespace(exit_code=code, signal=None)), FILES)
        )
    return [*found, *(diagnose(player, error) for error in ERRORS)]


def test_each_field_has_a_case_or_is_named_without_effect() -> None:
    of_http = {field for field in fields() if field.startswith("http.")}
    assert of_http
    assert set(fields()) - of_http == set(CASES) | set(WITHOUT_EFFECT)
    assert not set(CASES) & set(WITHOUT_EFFECT)


@pytest.mark.parametrize("field", CASES)
def test_what_a_profile_says_is_done_and_nothing_is_said_of_it(field: str, tmp_path: Path) -> None:
    value, more = CASES[field]
    base = merged(BASE, more)
    before = seen(read(base, tmp_path))
    after = read(written(field, value, base), tmp_path)
    assert seen(after) != before
    [entry] = after.entries.values()
    assert not [remark for remark in entry.remarks if remark.path.endswith(field)]


UNREAD = {
    "capabilities": ["vision"],
    "models.context_window": 200_000,
    "models.max_output_tokens": 8_192,
    "cli.command.start_new_session": True,
}
NAMED: dict[str, tuple[Any, dict[str, Any]]] = {
    **{field: (value, {"models": [MODEL]}) for field, value in UNREAD.items()},
    "http": (HTTP, {}),
    "cli": ({"command": {"executable": "true"}}, {"kind": "http", "http": HTTP}),
    "cli.command.prompt_flag": ("-p", {}),
    "cli.command.output_format_value": ("json", {}),
    "cli.command.stdin_sentinel": ("-", {"cli": {"command": {"prompt_via_file": True}}}),
    "cli.output.result_path": ("text", {}),
    "cli.output.cost_path": ("cost", {}),
    "cli.output.completion_event_type": ("done", JSON),
    "cli.output.aggregate_tokens": (True, JSON),
    "cli.errors.rate_limit_event_type": ("limit", JSON),
    "cli.errors.rate_limit_event_filter": ({"in": 5}, LINES),
}


def test_what_is_named_without_effect_is_all_tried_and_documented() -> None:
    assert set(UNREAD) == set(WITHOUT_EFFECT)
    assert {field for field in WITHOUT_EFFECT if f"| `{field}` |" not in DOCS.read_text()} == set()
    assert {name for name, field in fields().items() if field.description == IDLE} == set(UNREAD)


@pytest.mark.parametrize("field", NAMED)
def test_what_has_no_effect_is_named_with_its_file_line_and_reason(
    field: str, tmp_path: Path
) -> None:
    value, more = NAMED[field]
    base = merged(BASE, more)
    registry = read(written(field, value, base), tmp_path)
    path = field.replace("models.", "models[0].")
    lines = (tmp_path / "agent.yaml").read_text().splitlines()
    warnings = plan_of(registry).warnings
    [said] = [warning for warning in warnings if f": {path}: accepted, no effect (" in warning]
    file, line, _ = said.split(":", 2)
    assert file == str(tmp_path / "agent.yaml")
    assert f"{field.rpartition('.')[2]}:" in lines[int(line) - 1]
    assert said in _row(registry, "agent")["warnings"]
    if field != "cli":  # without it, it would be no profile that plays
        assert seen(registry) == seen(read(base, tmp_path))


def test_nothing_is_said_of_the_built_in_profiles() -> None:
    registry = Registry.load()
    assert len(registry.entries) == len(list(BUILTIN.glob("*.yaml")))
    assert [remark.render() for e in registry.entries.values() for remark in e.remarks] == []

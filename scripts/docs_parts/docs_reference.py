"""Pages that are made of the code: the verbs, the settings, the exit codes."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from typing import Any

import click

from marianne.cli import exit_codes
from marianne.cli.program import cli
from marianne.cli.session import Session
from marianne.cli.verbs import SECTIONS
from marianne.daemon.config import RESTART_ONLY
from marianne.daemon.config.inert import reason
from marianne.daemon.config.model import DaemonConfig
from marianne.daemon.config.sections import Section


def cli_page() -> str:
    """Every verb, as ``--help`` tells it."""
    lines = ["# Command line", "", "Made of the program. `mzt` is the same as `marianne`.", ""]
    context = click.Context(cli, info_name="marianne", obj=Session())
    for section, verbs in SECTIONS.items():
        lines += [f"## {section}", ""]
        for verb in verbs:
            command = cli.get_command(context, verb)
            assert command is not None
            lines += _command(command, verb, context)
    return "\n".join(lines)


def _command(command: click.Command, name: str, above: click.Context) -> Iterator[str]:
    context = click.Context(command, info_name=name, parent=above)
    yield from ("", f"### {context.command_path.removeprefix('marianne ')}", "")
    yield from ("```text", command.get_usage(context), "```", "")
    yield from (inspect.cleandoc(command.help or "").replace("\b\n", ""), "")
    told = (param.get_help_record(context) for param in command.get_params(context))
    records = [record for record in told if record]
    if records:
        yield from ("| option | |", "|---|---|")
        yield from (f"| `{_cell(option)}` | {_cell(text)} |" for option, text in records)
        yield ""
    if isinstance(command, click.Group):
        for sub in command.list_commands(context):
            found = command.get_command(context, sub)
            assert found is not None
            yield from _command(found, sub, context)


def config_page() -> str:
    """Every setting."""
    lines = [
        "# Configuration",
        "",
        "Made of the program. Settings of `conductor.yaml`, by dotted name; the variable of one is",
        "its name in capitals with two underscores for a dot, `MARIANNE_LEARNING__ENABLED=false`.",
        "`marianne config show --origin` tells those in force. What is marked *restart* is read",
        "when a conductor begins, all else by `reload`, too.",
        "",
    ]
    return "\n".join([*lines, *_settings(DaemonConfig, "")])


def _settings(model: type[Section], prefix: str) -> Iterator[str]:
    inner: list[tuple[str, type[Section]]] = []
    yield from ("| setting | type | default | |", "|---|---|---|---|")
    schema = model.model_json_schema()
    for name, field in model.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, Section):
            inner.append((name, kind))
            continue
        dotted = prefix + name
        about = field.description or ""
        if name in RESTART_ONLY and not prefix:
            about += " *restart*"
        inert = reason(dotted)
        if inert is not None and "without effect" not in about:
            about += f" Without effect: {inert[1]}."
        kinds = _kind(schema["properties"][name])
        yield f"| `{dotted}` | {_cell(kinds)} | {_default(field)} | {_cell(about)} |"
    yield ""
    for name, kind in inner:
        yield from ("", f"## {prefix}{name}", "", inspect.cleandoc(kind.__doc__ or ""), "")
        yield from _settings(kind, f"{prefix}{name}.")


def _kind(schema: dict[str, Any]) -> str:
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"])
    if "const" in schema:
        return f"`{schema['const']}`"
    if "anyOf" in schema:
        return " or ".join(_kind(one) for one in schema["anyOf"] if one.get("type") != "null")
    words = {"integer": "whole number", "string": "text", "boolean": "true or false"}
    kind = schema.get("type", "section")
    kind = " or ".join(kind) if isinstance(kind, list) else words.get(kind, kind)
    low = schema.get("minimum", schema.get("exclusiveMinimum"))
    return f"{kind}, from {low:g}" if isinstance(low, (int, float)) else kind


def _default(field: Any) -> str:
    value = field.default if field.default_factory is None else field.default_factory()
    if field.is_required():
        return "required"
    return "none" if value is None or value == [] else f"`{_cell(str(value))}`"


def exit_codes_page() -> str:
    """Every exit code and what it is for, by the comments of its module."""
    source = inspect.getsource(exit_codes)
    told: dict[int, str] = {}
    for node in ast.parse(source).body:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant):
            comment = source.splitlines()[node.lineno - 1].partition("#")[2].strip()
            name = node.targets[0].id.lower().replace("_", " ")  # type: ignore[attr-defined]
            told[int(str(node.value.value))] = comment or name
    lines = ["# Exit codes", "", "Made of the program.", "", "| code | | errors |", "|---|---|---|"]
    for code, text in told.items():
        errors = [f"`{name}`" for name, one in exit_codes.BY_ERROR.items() if one == code]
        lines.append(f"| {code} | {_cell(text)} | {', '.join(errors)} |")
    lines += ["", "What waits for a job exits as the job ended:", "", "| job | code |", "|---|---|"]
    lines += [f"| {status} | {code} |" for status, code in exit_codes.BY_JOB_STATUS.items()]
    return "\n".join([*lines, ""])


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


PAGES = {
    "reference/cli.md": cli_page,
    "reference/config.md": config_page,
    "reference/exit-codes.md": exit_codes_page,
}
"""By their place in the site."""

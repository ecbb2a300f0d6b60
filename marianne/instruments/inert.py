"""What a profile says that has no effect here: accepted, since the reference's profiles have it,
and named by ``validate``, ``run`` and ``instruments`` with file, line and reason.

A test holds every other field to change what is run, read or shown.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from pydantic import BaseModel

from marianne.instruments.profile import CliSection, CommandSection, Profile
from marianne.model.document import Document, PathPart
from marianne.model.errors import Problem

WITHOUT_EFFECT: dict[str, str] = {
    "capabilities": "what a program can do is its own business",
    "models.context_window": "the conductor's preflight bounds prompts, whatever the model",
    "models.max_output_tokens": "a program bounds its answers itself: see extra_flags",
    "cli.command.start_new_session": "each sheet has a process group of its own anyway",
}
"""By dotted name, without the places in lists."""

_HOSTED = "a hosted model is not played: a sheet takes its fallback"
_NOT_A_PROGRAM = "the kind is http, which is not played"
_LINES_ONLY = "the format is not jsonl"
_UNREAD = "the format is text, which is the result as it stands"

_OF_TEXT = ("result_path", "error_path", "input_tokens_path", "output_tokens_path", "cost_path")
_OF_LINES = ("completion_event_type", "completion_event_filter", "aggregate_tokens")
_LIMIT_EVENTS = ("rate_limit_event_type", "rate_limit_event_filter")

_Found = tuple[tuple[PathPart, ...], str]


def remarks(profile: Profile, document: Document) -> tuple[Problem, ...]:
    """What of a profile has no effect, each with its place in the file it was read from."""
    return tuple(
        document.problem(path, f"accepted, no effect ({reason})", key=True)
        for path, reason in without_effect(profile)
    )


def without_effect(profile: Profile) -> Iterator[_Found]:
    """The path of each field that is given and changes nothing, and why."""
    yield from _never(profile)
    for index, model in enumerate(profile.models):
        yield from _never(model, "models", index)
    if profile.http is not None:
        yield ("http",), _HOSTED
    if profile.cli is None:
        return
    if profile.kind == "http":
        yield ("cli",), _NOT_A_PROGRAM
        return
    yield from _never(profile.cli.command, "cli", "command")
    yield from _of_command(profile.cli.command)
    yield from _of_output(profile.cli)


def _never(section: BaseModel, *place: PathPart) -> Iterator[_Found]:
    """Of the fields that have an effect nowhere, those that this section is given."""
    if not section.model_fields_set:
        return
    name = "".join(f"{part}." for part in place if isinstance(part, str))
    for field in type(section).model_fields:
        reason = WITHOUT_EFFECT.get(name + field)
        if reason is not None and field in section.model_fields_set:
            yield (*place, field), reason


def _of_command(command: CommandSection) -> Iterator[_Found]:
    """What another field of the command line makes idle."""
    if command.prompt_flag and command.prompt_via_stdin and not command.prompt_via_file:
        yield (
            ("cli", "command", "prompt_flag"),
            "the prompt goes to standard input unless prompt_via_stdin is false",
        )
    if command.prompt_via_file and command.stdin_sentinel:
        yield ("cli", "command", "stdin_sentinel"), "the prompt is the file's path"
    if command.output_format_value and not command.output_format_flag:
        yield ("cli", "command", "output_format_value"), "there is no output_format_flag"


def _of_output(cli: CliSection) -> Iterator[_Found]:
    """What is only looked for in output of another format, or beside another field."""
    if cli.output.format == "text":
        yield from _idle(cli.output, "output", _OF_TEXT, _UNREAD)
    if cli.output.format != "jsonl":
        yield from _idle(cli.output, "output", _OF_LINES, _LINES_ONLY)
        yield from _idle(cli.errors, "errors", _LIMIT_EVENTS, _LINES_ONLY)
    elif cli.errors.rate_limit_event_filter and not cli.errors.rate_limit_event_type:
        path = ("cli", "errors", "rate_limit_event_filter")
        yield path, "there is no rate_limit_event_type"


def _idle(section: BaseModel, name: str, fields: Iterable[str], reason: str) -> Iterator[_Found]:
    for field in fields:
        if getattr(section, field):
            yield ("cli", name, field), reason

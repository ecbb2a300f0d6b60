"""Instrument profiles: what is written in their YAML files, as models.

A profile says how a program is called and how its output is read. Only loading uses these models;
a plan carries the sections it needs as plain maps with every default filled in.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from marianne.model.fields import Count, Price, Section, Timeout
from marianne.model.limits import SheetLimits
from marianne.model.sandbox import Sandbox
from marianne.model.slurm import SlurmSheet


def _regex(value: str) -> str:
    try:
        re.compile(value, re.IGNORECASE)
    except re.error as error:
        raise ValueError(f"'{value}' is no regular expression: {error}") from None
    return value


Pattern = Annotated[str, AfterValidator(_regex)]

IDLE = "Accepted; without effect."
"""Of a field that nothing reads; :mod:`marianne.instruments.inert` has the reason."""


class CommandSection(Section):
    """How the command line is built.

    Order: executable, leading_flags, subcommand, auto-approve, output format, model, allowed
    tools, system prompt, timeout, working directory, prompt (or its sentinel, or its file), mcp
    arguments, extra_flags.
    """

    executable: str = Field(min_length=1)
    leading_flags: list[str] = []
    subcommand: str | None = None
    prompt_flag: str | None = Field(default=None, description="None: the prompt is positional")
    prompt_via_stdin: bool = True
    prompt_via_file: bool = Field(
        default=False, description="the path of the prompt's file is the argument"
    )
    stdin_sentinel: str | None = None
    model_flag: str | None = None
    auto_approve_flag: str | None = None
    output_format_flag: str | None = None
    output_format_value: str | None = None
    system_prompt_flag: str | None = None
    allowed_tools_flag: str | None = None
    mcp_config_flag: str | None = None
    mcp_disable_args: list[str] = []
    timeout_flag: str | None = None
    working_dir_flag: str | None = None
    extra_flags: list[str] = []
    env: dict[str, str] = {}
    start_new_session: bool = Field(default=False, description=IDLE)
    required_env: list[str] | None = Field(
        default=None, description="None: everything is inherited"
    )


class OutputSection(Section):
    """How the result, the tokens and the cost are found in what the program printed.

    Paths are dotted; ``*`` stands for every entry of a map or a list, and the numbers that such a
    path finds are added up.
    """

    format: Literal["text", "json", "jsonl"] = "text"
    result_path: str | None = None
    error_path: str | None = None
    completion_event_type: str | None = None
    completion_event_filter: dict[str, Any] = {}
    input_tokens_path: str | None = None
    output_tokens_path: str | None = None
    cost_path: str | None = None
    aggregate_tokens: bool = Field(default=False, description="jsonl: add up over all events")


class ErrorsSection(Section):
    """How a failed run is told apart by what stands on its error stream."""

    success_exit_codes: list[Annotated[int, Field(ge=-255, le=255)]] = [0]
    rate_limit_patterns: list[Pattern] = []
    auth_error_patterns: list[Pattern] = []
    crash_patterns: list[Pattern] = []
    stale_patterns: list[Pattern] = []
    timeout_patterns: list[Pattern] = []
    capacity_patterns: list[Pattern] = []
    rate_limit_event_type: str | None = None
    rate_limit_event_filter: dict[str, Any] = {}


class CliSection(Section):
    """A program that is called once for each attempt."""

    command: CommandSection
    output: OutputSection = OutputSection()
    errors: ErrorsSection = ErrorsSection()


class HttpSection(Section):
    """A hosted model behind HTTP: known, not played."""

    base_url: str
    endpoint: str | None = None
    schema_family: Literal["openai", "anthropic", "gemini"] = "openai"
    auth_env_var: str | None = None


class ModelSection(Section):
    """One model of an instrument. Prices are per 1,000 tokens."""

    name: str
    context_window: Count | None = Field(default=None, description=IDLE)
    cost_per_1k_input: Price = Field(default=0.0, ge=0)
    cost_per_1k_output: Price = Field(default=0.0, ge=0)
    max_output_tokens: Count | None = Field(default=None, description=IDLE)
    max_concurrent: int = Field(default=4, ge=1, le=1000)


class Profile(Section):
    """One instrument. ``max_concurrent`` bounds its sheets over all jobs; null is no bound."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")
    display_name: str | None = None
    aliases: list[str] = []
    kind: Literal["cli", "http"] = "cli"
    description: str | None = None
    capabilities: list[str] = Field(default=[], description=IDLE)
    raw_prompt: bool = False
    default_timeout_seconds: Timeout | None = 1800.0
    default_model: str | None = None
    models: list[ModelSection] = []
    max_concurrent: int | None = Field(default=4, ge=1, le=1000)
    limits: SheetLimits | None = None
    executor: str | None = Field(
        default=None, min_length=1, description="where its sheets run; null is the job's"
    )
    cli: CliSection | None = None
    http: HttpSection | None = None
    sandbox: Sandbox | None = None
    slurm: SlurmSheet | None = None

    @model_validator(mode="after")
    def _has_section(self) -> Profile:
        if self.kind == "cli" and self.cli is None:
            raise ValueError("kind cli needs a 'cli' section")
        if self.kind == "http" and self.http is None:
            raise ValueError("kind http needs an 'http' section")
        return self

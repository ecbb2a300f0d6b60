"""The plan: what a score says, expanded to sheets, as plain data.

A plan is made once, when a job is submitted, and never consults the score file again. It holds
everything that the job actor and the worker process need: the DAG, resolved instruments, prompts,
validations, limits. Sheet numbers are 1-based. All times are in seconds.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import field, replace
from typing import Any, Literal

from marianne.model.batch import Options, batch_options
from marianne.records import dataclass

When = Literal["succeeded", "failed", "always"]
"""Which end of its needs a sheet runs for: all completed, one of them did not, or any."""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """When and how often a failed attempt is tried again.

    ``max_retries`` is the number of retries: N allows N + 1 attempts. The n-th retry waits
    ``min(max_delay, base_delay * exponential_base ** (n - 1))`` seconds, times a factor of 0.5
    to 1 when ``jitter`` is set. Completion attempts answer a partial pass of the validations.
    """

    max_retries: int = 3
    base_delay: float = 10.0
    max_delay: float = 3600.0
    exponential_base: float = 2.0
    jitter: bool = True
    max_completion_attempts: int = 5
    completion_delay: float = 5.0
    completion_threshold_percent: float = 50.0


@dataclass(frozen=True, slots=True)
class ValidationRule:
    """One check that a sheet's work must pass.

    ``type`` is one of file_exists, dir_exists, file_modified, content_contains, content_regex,
    command_succeeds. ``stage`` orders the checks (lower first; a failing stage stops the later
    ones). ``timeout_seconds`` bounds a command. ``retry_count`` is how often a failing check is
    looked at again. A sheet holds only the rules whose condition it meets: ``condition`` stays
    for people to read, and evaluating it again (marianne.score.condition) gives True.
    ``{name}`` in path, pattern and command is replaced by marianne.score.placeholders.
    """

    type: str
    path: str | None = None
    pattern: str | None = None
    command: str | None = None
    condition: str | None = None
    stage: int = 1
    description: str | None = None
    retry_count: int = 0
    retry_delay_ms: int = 200
    timeout_seconds: float = 3600.0
    working_directory: str | None = None


@dataclass(frozen=True, slots=True)
class Instrument:
    """A resolved instrument: how to build the command line and how to read what came out.

    ``command`` and ``output`` are the profile's sections of the same names, as plain maps with
    all defaults filled in (see marianne.instruments.profile). ``limit_key`` names the concurrency
    pool (profile and model); ``max_concurrent`` bounds it, None means no bound of its own.
    ``config`` is the score's merged instrument_config. ``unavailable`` says why no attempt can
    be made with it (no such program, or one that is known but has none). ``costs`` are the
    model's prices per 1,000 ``input`` and ``output`` tokens. ``limits`` are those of its sheets
    that say nothing else (marianne.model.limits), ``sandbox`` is what its profile keeps it from,
    ``slurm`` the profile's section. ``executor`` is where its sheets run, None: as everything of
    the job (marianne.model.placement).
    """

    profile: str
    model: str | None = None
    raw_prompt: bool = False
    max_concurrent: int | None = None
    command: dict[str, Any] = field(default_factory=dict)
    output: dict[str, Any] = field(default_factory=dict)
    errors: dict[str, Any] = field(default_factory=dict)
    config: dict[str, Any] = field(default_factory=dict)
    unavailable: str | None = None
    costs: dict[str, float] = field(default_factory=dict)
    limits: dict[str, float] = field(default_factory=dict)
    sandbox: dict[str, Any] | None = None
    slurm: dict[str, Any] = field(default_factory=dict)
    executor: str | None = None

    @property
    def limit_key(self) -> str:
        """The name of the pool that ``max_concurrent`` and rate limits apply to."""
        return f"{self.profile}/{self.model}" if self.model else self.profile


@dataclass(frozen=True, slots=True)
class Prompt:
    """The text given to an instrument: a template and the sections around it.

    ``script`` marks a ``run:`` sheet, whose text is a shell script: there ``{#`` is no comment.
    ``variables`` are the score's own; they win over the built-in ones. ``line`` is the line of the
    score that a script begins on, 0 where its lines are not those of the score.
    """

    template: str
    script: bool = False
    variables: dict[str, Any] = field(default_factory=dict)
    stakes: str | None = None
    thinking_method: str | None = None
    line: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class CrossSheet:
    """What a sheet sees of earlier ones. ``lookback_sheets`` 0 means all of them."""

    auto_capture_stdout: bool = False
    max_output_chars: int = 2000
    lookback_sheets: int = 3
    capture_files: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Injection:
    """A file or directory put into a prompt; ``kind`` is context, skill or tool."""

    path: str
    kind: str = "context"
    directory: bool = False


@dataclass(frozen=True, slots=True)
class SkipCommand:
    """A command whose exit code 0 skips the sheet; a timeout or an error runs it."""

    command: str
    timeout_seconds: float = 10.0
    description: str | None = None


@dataclass(frozen=True, slots=True)
class SheetPlan:
    """One sheet. Equal parts (prompt, instrument, rules, policy) are shared between sheets.

    ``stage`` is the entry of the score that the sheet comes from, ``instance`` (1 to
    ``fan_count``) its place in the fan-out and ``item`` its value of ``each``. ``after_cancel``
    says that one of another ``when`` than succeeded also runs when the job is cancelled. ``env``,
    ``cwd``, ``inputs`` and ``outputs`` are templates (marianne.score.surroundings). ``cpus``,
    ``memory_mb`` and ``gpus`` are what it takes while it runs; it runs where all ``labels`` are, on
    its ``executor`` if it has one of its own (marianne.model.placement). ``limits`` are those of
    the score and the sheet (marianne.model.limits), without the memory.
    ``sandbox`` is what it is kept from (marianne.walls.asked).
    ``makes_nothing``: the score says so, ``outputs: []``. ``slurm`` is its section of that name,
    None where it and its score have none. A ``workspace_step`` makes what the other sheets work in,
    or takes it away when they are done: it runs with whichever of them is asked for.
    """

    num: int
    name: str
    stage: int
    instrument: Instrument
    prompt: Prompt
    needs: tuple[int, ...] = ()
    instance: int = 1
    fan_count: int = 1
    start_item: int = 1
    end_item: int = 1
    item: Any = None
    fallbacks: tuple[Instrument, ...] = ()
    validations: tuple[ValidationRule, ...] = ()
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    timeout_seconds: float | None = None
    idle_timeout_seconds: float | None = None
    max_memory_mb: int | None = None
    cross_sheet: CrossSheet | None = None
    injections: tuple[Injection, ...] = ()
    skip_when: str | None = None
    skip_when_command: SkipCommand | None = None
    description: str | None = None
    when: When = "succeeded"
    after_cancel: bool = False
    env: dict[str, str] | None = None
    cwd: str | None = None
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    makes_nothing: bool = False
    cpus: float = 1.0
    memory_mb: int = 0
    gpus: int = 0
    labels: tuple[str, ...] = ()
    limits: dict[str, float] | None = None
    sandbox: dict[str, Any] | None = None
    slurm: dict[str, Any] | None = None
    workspace_step: Literal["", "begin", "end"] = ""
    executor: str | None = None

    def batch_options(self, instrument: Instrument) -> Options | None:
        """What a batch job of its own is given when this instrument plays it; None: it has none."""
        if self.slurm is None and not instrument.slurm:
            return None  # nearly always
        return batch_options(instrument.slurm, self.slurm or {})

    def instrument_at(self, fallback: int) -> Instrument | None:
        """The instrument of that index: 0 is the sheet's own, then its fallbacks in order."""
        if fallback == 0:
            return self.instrument
        return self.fallbacks[fallback - 1] if fallback <= len(self.fallbacks) else None

    def next_available(self, start: int = 0) -> int | None:
        """The first index from ``start`` on whose instrument can be used, None if there is none."""
        for index in range(start, len(self.fallbacks) + 1):
            instrument = self.instrument_at(index)
            if instrument is not None and instrument.unavailable is None:
                return index
        return None


@dataclass(frozen=True, slots=True)
class ListSource:
    """Of a sheet that makes a list: each item becomes a sheet like ``sheet``, with the item.

    ``kind`` is glob, command or json: what the sheet's rendered prompt is. More than ``max_items``
    items fail it.
    """

    kind: str
    sheet: SheetPlan
    max_items: int


@dataclass(frozen=True, slots=True)
class Growth:
    """The sheets that the list of the sheet ``source`` added to its plan, numbered from ``first``
    on."""

    source: int
    first: int
    items: tuple[str | int | float, ...]
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """A whole job. ``sheets[i].num == i + 1``; ``max_concurrent`` None means no limit of its own.

    ``extras`` keeps the sections that other parts read (on_success, on_failure, on_exit, concert,
    notifications, workspace_lifecycle, cost_limits, rate_limit) as the validated plain maps of the
    score.
    ``config_hash`` is equal for scores that say the same. ``variables`` are the score's own.
    ``template_files`` counts the files beside the score that became part of it. ``params`` are for
    people: of each the type, the value, whether it was given, default, required, description.
    ``lists`` are the sheets that make lists, by number; ``grown`` is what lists have added so far,
    in the order of the numbers: it is part of ``sheets``. ``executor`` is where sheets run that say
    nothing else; None only in plans of a version that knew no other than its conductor's.
    """

    name: str
    workspace: str
    sheets: tuple[SheetPlan, ...]
    total_stages: int
    max_concurrent: int | None = None
    stagger_seconds: float = 0.0
    pause_between_sheets_seconds: float = 0.0
    score_path: str | None = None
    score_dir: str | None = None
    project_root: str | None = None
    description: str | None = None
    warnings: tuple[str, ...] = ()
    extras: dict[str, Any] = field(default_factory=dict)
    config_hash: str = ""
    variables: dict[str, Any] = field(default_factory=dict)
    template_files: int = 0
    params: dict[str, dict[str, Any]] = field(default_factory=dict)
    lists: dict[int, ListSource] = field(default_factory=dict)
    grown: tuple[Growth, ...] = ()
    executor: str | None = None

    @property
    def written(self) -> Iterator[SheetPlan]:
        """The sheets, and one for those that each list may add."""
        yield from self.sheets
        for source in self.lists.values():
            yield source.sheet

    def with_warnings(self, warnings: Iterable[str]) -> Plan:
        """The same plan with these warnings."""
        return replace(self, warnings=tuple(warnings))

    def sheet(self, num: int) -> SheetPlan:
        """The sheet of that number; KeyError when there is none."""
        if not 1 <= num <= len(self.sheets):
            raise KeyError(num)
        return self.sheets[num - 1]

    def dependents(self) -> dict[int, list[int]]:
        """For each sheet that others need: who they are. Built anew at each call."""
        found: dict[int, list[int]] = {}
        for sheet in self.sheets:
            for need in sheet.needs:
                found.setdefault(need, []).append(sheet.num)
        return found

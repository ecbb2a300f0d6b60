"""A score file to a plan: the one way in."""

from __future__ import annotations

import gc
import hashlib
import json
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from marianne.instruments.registry import Registry
from marianne.model.document import MAX_BYTES, Document, PathPart
from marianne.model.errors import Problem, ScoreError, did_you_mean
from marianne.model.mending import read
from marianne.model.plan import Plan
from marianne.regular_file import read_regular
from marianne.score.check import check_plan
from marianne.score.check_executors import Known, check_executors
from marianne.score.check_shell import ShellCheck
from marianne.score.check_staging import check_staging
from marianne.score.check_walls import check_walls, keep_all_from
from marianne.score.expand import Expansion, think
from marianne.score.expand_reference import ReferenceExpander
from marianne.score.expand_short import ShortExpander
from marianne.score.inert import warn_of_inert
from marianne.score.models_reference import Common, ReferenceScore
from marianne.score.models_short import ShortScore
from marianne.score.params import Given, resolve
from marianne.score.places import OWN_INSTRUMENTS, project_root
from marianne.score.report import Report
from marianne.score.resolve import Resolver
from marianne.score.settings import UNSET, ScoreSettings
from marianne.score.shadow import warn_of_shadows
from marianne.score.slurm import warn_of_slurm

if TYPE_CHECKING:
    from marianne.walls.offers import Offers

MAX_TEMPLATE_BYTES = 2**20


@contextmanager
def _no_garbage_collection() -> Iterator[None]:
    """A large score is millions of live objects and no cycles: looking for some doubles the time
    (10,000 sheets: 1.8 s with, 1.0 without)."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


@_no_garbage_collection()
def load_plan(
    path: str | None,
    text: str | None,
    *,
    base_dir: str,
    workspace: str | None,
    variables: Mapping[str, str],
    instruments: Registry,
    search_path: str | None = None,
    settings: ScoreSettings = UNSET,
    executor: str | None = None,
    shell: bool = False,
    walls: Callable[[], Offers] | None = None,
) -> Plan:
    """Reads, checks and expands a score.

    ``text`` is the score, or None to read ``path``. Relative paths in it are taken from
    ``base_dir``, the directory of the score file; ``workspace`` replaces the score's own.
    ``variables`` win over the score's. Profiles in ``base_dir``/.marianne/instruments are added to
    ``instruments``. ``search_path`` is the PATH that the sheets will have (default: ours).
    ``settings`` are those of the conductor that is to run it, ``executor`` is where its job was
    asked to run. With ``shell`` bash reads every script, which takes a process and 30 µs each.
    ``walls`` finds what this machine offers to keep sheets from the rest of it.
    Raises ScoreError with everything that is wrong; the plan's ``warnings`` hold what is odd.
    """
    content = read_score(path) if text is None else text
    document = Document(content, path or "<stdin>", lenient=True)
    score, report = _model(document)
    templates = _TemplateReader(base_dir, report)
    registry = instruments.extended(os.path.join(base_dir, OWN_INSTRUMENTS))
    for problem in registry.problems:
        report.warn(f"an instrument file was left out: {problem.render()}")
    _check_variables(variables)
    resolver = Resolver(registry, score.instruments, report, search_path)
    expansion, given, own = _expand(score, report, resolver, variables, templates)
    if settings.thinking_method:
        think(expansion, settings.thinking_method)
    if settings.sandbox:
        keep_all_from(expansion, settings.sandbox)
    _warn_of_unused(variables, [content, *templates.texts], report)
    warn_of_inert(score, report)
    warn_of_shadows(score, variables, report)
    plan = _plan(score, expansion, document, path, workspace, own, templates)
    if given.shown:
        plan = replace(plan, params=given.shown)
    if settings.executors or executor is not None:
        known = Known(settings.executors, executor)
        plan = replace(plan, executor=executor or score.executor or known.default)
        check_executors(plan, expansion, report, known)
    check_plan(plan, expansion, report, settings, ShellCheck(search_path) if shell else None)
    if settings.batch is not None:
        warn_of_slurm(plan, expansion, report, settings.batch)
    if walls is not None:
        check_walls(plan, report, walls)
    if settings.staged:
        check_staging(plan, expansion, report, settings.staged)
    report.raise_if_any()
    return plan.with_warnings(report.warnings)


def _expand(
    score: Common,
    report: Report,
    resolver: Resolver,
    variables: Mapping[str, str],
    templates: _TemplateReader,
) -> tuple[Expansion, Given, dict[str, Any]]:
    """Its sheets, what it was given, and the variables that all of them have."""
    in_worktree = not isinstance(score.workspace, str)
    if in_worktree:
        from marianne.score.worktree import in_worktrees  # few scores have one

        score = in_worktrees(score, report, templates.base)
    if isinstance(score, ShortScore):
        given = resolve(score, score.variables, variables, templates.base, report)
        own = given.over(score.variables)
        expansion = ShortExpander(score, report, resolver, given, templates.read).expand()
    else:
        assert isinstance(score, ReferenceScore)
        given = resolve(score, score.prompt.variables, variables, templates.base, report)
        own = given.over(score.prompt.variables)
        expansion = ReferenceExpander(score, report, resolver, given, templates.read).expand()
    if in_worktree:
        from marianne.score.worktree import opened

        expansion.sheets[:] = opened(expansion.sheets)
    return expansion, given, own


def config_hash(data: Any, *more: str) -> str:
    """A hash of what a score says: comments, order of keys and spelling of YAML do not count."""
    try:
        text = json.dumps(data, sort_keys=True, ensure_ascii=True)
    except TypeError:  # maps with both numbers and text as keys
        text = json.dumps(_sorted(data), ensure_ascii=True)
    digest = hashlib.sha256(text.encode())
    for part in more:
        digest.update(b"\0" + part.encode())
    return digest.hexdigest()


def _sorted(data: Any) -> Any:
    if isinstance(data, dict):
        return {str(key): _sorted(data[key]) for key in sorted(data, key=str)}
    return [_sorted(item) for item in data] if isinstance(data, list) else data


def read_score(path: str | None) -> str:
    """The text of a score's file; ScoreError when there is none, or it cannot be one."""
    file = path or "<stdin>"
    if path is None:
        raise ScoreError([Problem("neither a file nor a text was given", file=file)])
    try:
        raw = read_regular(path, MAX_BYTES + 1)
    except (OSError, ValueError) as error:  # a NUL in the name is no OSError
        why = getattr(error, "strerror", None) or error
        raise ScoreError([Problem(f"cannot be read: {why}", file=file)]) from None
    if len(raw) > MAX_BYTES:
        raise ScoreError([Problem(f"is larger than {MAX_BYTES // 2**20} MiB", file=file)])
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise ScoreError([Problem("is not UTF-8 here", "", line, 1, None, file)]) from None


def _model(document: Document) -> tuple[Common, Report]:
    """The score, and a report that has what is wrong with it so far.

    Raises ScoreError where what is wrong leaves nothing to go on with.
    """
    try:
        form = _form(document)
    except ScoreError as error:
        raise ScoreError(dict.fromkeys([*document.problems, *error.problems])) from None
    reading = read(form, document)
    places = {(problem.line, problem.column) for problem in document.problems}
    report = Report(document, dict.fromkeys(document.problems), more=reading.more)
    report.unsure = frozenset(reading.unsure)
    for problem in reading.problems:
        if (problem.line, problem.column) not in places:
            report.add(problem)
    score = reading.value
    if score is None or any(place in reading.unsure for place in _COUNTS):
        report.raise_if_any()
    assert score is not None
    return score, report


_COUNTS = [
    ("sheet",),
    *(("sheet", key) for key in ("size", "total_items", "start_item", "fan_out")),
]
"""Where it is said how many sheets the reference's form has."""


def _form(document: Document) -> type[ShortScore] | type[ReferenceScore]:
    """Tells the two forms apart by ``sheets`` and ``sheet``. Raises ScoreError for neither."""
    data = document.data
    if not isinstance(data, dict):
        raise ScoreError([document.problem([], "a score is a map of keys and values")])
    if "sheets" in data and "sheet" in data:
        message = "a score has 'sheets' (a list) or 'sheet' (size and items), not both"
        raise ScoreError([document.problem(["sheet"], message, key=True)])
    if "sheets" in data:
        return ShortScore
    if "sheet" in data or "prompt" in data:
        return ReferenceScore
    if data.get("type") == "fleet":
        advice = "submit its scores one by one"
        raise ScoreError([document.problem(["type"], "a fleet file is no score", advice)])
    for key in data:
        hint = did_you_mean(key, ["sheets", "sheet"])
        if hint:
            raise ScoreError([document.problem([key], "unknown key", hint, key=True)])
    hint = "'marianne init' writes a score to begin with"
    raise ScoreError([document.problem([], "a score needs 'sheets'", hint)])


def _check_variables(variables: Mapping[str, str]) -> None:
    problems = []
    for name, value in variables.items():
        if not name.isidentifier():
            problems.append(Problem(f"'{name}' is no name of a variable", file="--var"))
        elif any("\ud800" <= char <= "\udfff" for char in value):
            problems.append(Problem(f"the value of '{name}' is no valid text", file="--var"))
    if problems:
        raise ScoreError(problems)


def _warn_of_unused(variables: Mapping[str, str], texts: Sequence[str], report: Report) -> None:
    for name in variables:
        if not any(re.search(rf"\b{name}\b", text) for text in texts):
            report.warn(f"--var {name}: nothing in the score is called so")


class _TemplateReader:
    """Reads template files, which become part of the plan; relative to the score file."""

    def __init__(self, base_dir: str, report: Report) -> None:
        self.base = base_dir
        self._report = report
        self.texts: list[str] = []

    def read(self, name: str, path: list[PathPart]) -> str:
        full = os.path.join(self.base, os.path.expanduser(name))
        try:
            raw = read_regular(full, MAX_TEMPLATE_BYTES + 1)
            if len(raw) > MAX_TEMPLATE_BYTES:
                self._report.error(path, f"'{name}' is larger than 1 MiB")
                return ""
            text = raw.decode("utf-8")
        except UnicodeDecodeError:
            self._report.error(path, f"'{name}' is not UTF-8")
            return ""
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or error
            self._report.error(path, f"'{name}' cannot be read: {why}")
            return ""
        self.texts.append(text)
        return text


def _directory(score: Common, base_dir: str, workspace: str | None) -> str:
    """Where the sheets work, as it is asked for or as the score says."""
    written = workspace or score.workspace
    if isinstance(written, str):
        return os.path.join(base_dir, os.path.expanduser(written))
    from marianne.score.worktree import place_of

    return place_of(score, base_dir)


def _plan(
    score: Common,
    expansion: Expansion,
    document: Document,
    path: str | None,
    workspace: str | None,
    variables: dict[str, Any],
    templates: _TemplateReader,
) -> Plan:
    base_dir = templates.base
    parallel = score.parallel
    limit = None
    if parallel is not None:
        limit = parallel.max_concurrent if parallel.enabled else 1
    directory = _directory(score, base_dir, workspace)
    extras = {
        key: value
        for key, value in score.model_dump(
            mode="json",
            include={
                "on_success",
                "on_failure",
                "on_exit",
                "concert",
                "notifications",
                "workspace_lifecycle",
                "cost_limits",
                "rate_limit",
                "single",
            },
        ).items()
        if value
    }
    return Plan(
        name=score.name,
        workspace=os.path.abspath(directory),
        sheets=tuple(expansion.sheets),
        total_stages=expansion.total_stages,
        max_concurrent=limit,
        stagger_seconds=parallel.stagger_delay_ms / 1000 if parallel else 0.0,
        pause_between_sheets_seconds=score.pause_between_sheets_seconds or 0.0,
        score_path=os.path.abspath(path) if path else None,
        score_dir=os.path.abspath(base_dir),
        project_root=project_root(base_dir),
        description=score.description,
        extras=extras,
        config_hash=config_hash(document.data, *templates.texts),
        variables=variables,
        template_files=len(templates.texts),
        lists=expansion.lists,
        executor=score.executor,
    )

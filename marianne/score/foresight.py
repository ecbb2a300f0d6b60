"""What of a template only a run can know: what earlier sheets leave, and files read as it begins.

In a preview marks stand for it. A mark can be printed, and says so; whatever else a template does
with it (a condition, a loop, a count) would be a guess, so that nobody can say what the text is.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import field
from typing import Any, NoReturn

from marianne.model.plan import Plan, SheetPlan
from marianne.records import dataclass
from marianne.score.prompt import INJECTED, SKIPPED, window
from marianne.score.template import parsed

# Filters that take what they are given as text and make another one of it: a mark cannot tell.
_CHANGING = frozenset(
    {"capitalize", "center", "e", "escape", "filesizeformat", "forceescape", "format", "lower"}
    | {
        "pprint",
        "replace",
        "striptags",
        "title",
        "tojson",
        "truncate",
        "upper",
        "urlencode",
        "urlize",
    }
    | {"wordcount", "wordwrap"}
)


_OF_LISTS = {
    "item": "an item of the list",
    "instance": "its place in the list",
    "voice": "its place in the list",
    "fan_count": "the length of the list",
    "voice_count": "the length of the list",
    "sheet_num": "its number",
    "sheet_name": "its name",
}
"""What only a run knows of a sheet that a list makes."""


@dataclass(slots=True)
class Seen:
    """What was printed of the marks, in words, and what of them decided something."""

    printed: dict[str, None] = field(default_factory=dict)
    decided: dict[str, None] = field(default_factory=dict)


class UndecidedError(Exception):
    """A template asked a mark for more than a run can tell before it is one."""


class Mark:
    """Stands for a text that is not known yet; ``name`` is what the template calls it."""

    def __init__(self, name: str, words: str, seen: Seen) -> None:
        self._name, self._words, self._seen = name, words, seen

    def __str__(self) -> str:
        self._seen.printed[self._words] = None
        return mark(self._words)

    def _decides(self, *_given: Any) -> NoReturn:
        self._seen.decided[self._name] = None
        raise UndecidedError(self._name)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return self._decides()

    __bool__ = __len__ = __iter__ = __contains__ = __getitem__ = _decides
    __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = _decides
    __add__ = __radd__ = __mul__ = __rmul__ = __mod__ = __int__ = __float__ = _decides
    __format__ = __hash__ = _decides


class Marks(Mark):
    """Stands for a map whose entries are not known yet; ``entry`` says what that of a key is."""

    def __init__(self, name: str, seen: Seen, entry: Callable[[Any], Any]) -> None:
        super().__init__(name, name, seen)
        self._entry = entry

    def __getitem__(self, key: Any) -> Any:
        return self._entry(key)

    __str__ = Mark._decides


def _outputs(plan: Plan, sheet: SheetPlan, skipped: Collection[int], seen: Seen) -> Marks:
    name = "previous_outputs"

    def entry(key: Any) -> Any:
        if key not in window(sheet):
            from marianne.score.absent import Absent

            return Absent(obj=marks, name=key)
        if key in skipped:
            return SKIPPED
        return Mark(name, f"the output of sheet {key}, {plan.sheet(key).name}", seen)

    marks = Marks(name, seen, entry)
    return marks


def _files(seen: Seen) -> Marks:
    name = "previous_files"
    return Marks(name, seen, lambda key: Mark(name, f"the file {key}", seen))


def mark(words: str) -> str:
    """How what is not known yet is shown."""
    return f"⟨{words}⟩"


def injections(sheet: SheetPlan) -> dict[str, str]:
    """The files that are put into the prompt, in words, by kind."""
    paths: dict[str, list[str]] = {}
    for injection in sheet.injections:
        paths.setdefault(injection.kind, []).append(injection.path)
    return {kind: f"{kind} from {', '.join(found)}" for kind, found in paths.items()}


def unknown(plan: Plan, sheet: SheetPlan, skipped: Collection[int], seen: Seen) -> dict[str, Any]:
    """The names of the sheet's template whose values only a run can know, with marks for them.

    The sheets of ``skipped`` do not run.
    """
    found = dict(_unknown(plan, sheet, skipped, seen))
    if found and not seen.decided:
        for name in _changed(sheet, {name for name in found if name in sheet.prompt.template}):
            seen.decided[name] = None
    return found


def _unknown(
    plan: Plan, sheet: SheetPlan, skipped: Collection[int], seen: Seen
) -> Iterator[tuple[str, Any]]:
    source = plan.lists.get(sheet.num)
    if source is not None and source.sheet is sheet:
        for name, words in _OF_LISTS.items():
            yield name, Mark(name, words, seen)
    if any(num not in skipped for num in window(sheet)):
        yield "previous_outputs", _outputs(plan, sheet, skipped, seen)
    if sheet.cross_sheet is not None and sheet.cross_sheet.capture_files:
        yield "previous_files", _files(seen)
    needed = map(plan.sheet, sheet.needs)
    if any(need.skip_when or need.skip_when_command for need in needed):
        words = "the numbers of those of its needs that are skipped"
        yield "skipped_upstream", Mark("skipped_upstream", words, seen)
    for kind, words in injections(sheet).items():
        yield INJECTED[kind], Mark(INJECTED[kind], words, seen)


def _changed(sheet: SheetPlan, names: set[str]) -> Iterator[str]:
    """The names that the template puts through a filter which makes something else of them."""
    if not names or "|" not in sheet.prompt.template:
        return
    from jinja2 import TemplateError, nodes

    try:
        tree = parsed(sheet.prompt.template, script=sheet.prompt.script)
    except TemplateError:
        return
    for use in tree.find_all(nodes.Filter):
        if use.name in _CHANGING:
            yield from {node.name for node in use.find_all(nodes.Name)} & names

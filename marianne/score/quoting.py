"""What goes into a shell script as it is: names that a template prints without the filter ``q``."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from marianne.score.shell_places import Place, places
from marianne.score.template import simple_names

if TYPE_CHECKING:
    from jinja2 import nodes

EARLIER = frozenset({"previous_outputs", "previous_files"})
"""Names of what earlier sheets left: text that somebody else wrote. So is an item of a list that
is made when its sheet runs."""

# What makes a shell do more than split words and match names of files.
_SPECIAL = re.compile(r"""[;&|<>$`"'\\(){}\n\r#!]""")

_BLANK = re.compile(r"\S\s+\S")

# Programs that join their words, or run them.
_TAKES_ANY = frozenset(
    {"echo", "printf", "eval", "exec", "env", "sudo", "time", "command", "xargs"}
)
_TAKES_ANY |= {"bash", "sh", "nice", "nohup", "timeout", "set", ":"}

_ACTS = (
    "the variable {name} stands unquoted in a script, and its value has characters that a shell"
    " acts upon; write {{{{ {name} | q }}}} unless that is meant"
)
_SPLITS = (
    "the variable {name} stands unquoted in a script, and its value has blanks: the shell makes"
    " several words of it; write {{{{ {name} | q }}}} (of a list it makes a word for each entry)"
)
_IN_QUOTES = (
    "the variable {name} stands in {quotes} quotes in a script, where {chars} in its value still"
    " act; write {{{{ {name} | q }}}} with no quotes around it"
)

# Filters whose result the shell takes as one word.
_SAFE = frozenset({"q", "int", "float", "length", "count", "wordcount", "abs", "round"})


def warnings_of(
    text: str, names: Mapping[str, Any], foreign: frozenset[str] = EARLIER
) -> Iterator[str]:
    """What is odd about this script, in words; ``names`` are the values that it is given, those of
    ``foreign`` text that somebody else wrote."""
    try:
        printed = unquoted(text)
    except Exception:  # noqa: BLE001 - a template that cannot be read is reported by who renders it
        return
    for name in sorted(printed & foreign):
        whose = "an earlier sheet left" if name in EARLIER else "the list gives"
        yield (
            f"{name} stands unquoted in a script: what {whose} is run as shell commands;"
            " write {{ … | q }}"
        )
    for name in sorted(printed - foreign):
        if name in names:
            yield from _of_value(text, name, names[name])


def _of_value(template: str, name: str, value: Any) -> Iterator[str]:
    """What the shell does to the value where the script has it."""
    acts = any(map(_SPECIAL.search, _texts(value)))
    if not acts and not any(map(_BLANK.search, _texts(value))):
        return
    found = None if isinstance(value, (dict, list, tuple)) else places(template, name)
    if not found:  # a here-document, or what is not followed
        if acts:
            yield _ACTS.format(name=name)
        return
    text = str(value)
    kinds = {place.quotes for place in found}
    if acts and kinds & {"bare", "nested"}:
        yield _ACTS.format(name=name)
    elif any(_splits(place, text) for place in found):
        yield _SPLITS.format(name=name)
    if "double" in kinds and re.search(r'[$`"\\]', text):
        yield _IN_QUOTES.format(name=name, quotes="double", chars='$, `, " or \\')
    if "single" in kinds and "'" in text:
        yield _IN_QUOTES.format(name=name, quotes="single", chars="'")


def _splits(place: Place, value: str) -> bool:
    """Whether a value with blanks is sure to be meant as one word here. What looks like a command
    line or like options is several; `echo` shows the same."""
    if place.quotes != "bare" or place.role == "command":
        return False
    takes_any = place.program in _TAKES_ANY or place.program.startswith("[[")
    return place.role != "word" or not (takes_any or value.lstrip().startswith("-"))


def _texts(value: Any) -> Iterable[str]:
    if isinstance(value, dict):
        return map(str, value.values())
    return map(str, value) if isinstance(value, (list, tuple)) else (str(value),)


@lru_cache(maxsize=512)
def unquoted(text: str) -> frozenset[str]:
    """The names whose values the template prints, by any way, and not through a safe filter."""
    if "{{" not in text:
        return frozenset()
    simple = simple_names(text)
    if simple is not None:
        return frozenset(name for name, quoted in simple if not quoted)
    from jinja2 import nodes

    from marianne.score.template import parsed

    tree = parsed(text)
    sources = _sources(tree)
    found: set[str] = set()
    for output in tree.find_all(nodes.Output):
        for part in output.nodes:
            for name in _names(part):
                found |= sources.get(name, {name})
    return frozenset(found)


def _sources(tree: nodes.Template) -> dict[str, set[str]]:
    """For a name that the template sets itself: the names that its value may come from."""
    from jinja2 import nodes

    steps: list[tuple[nodes.Node, nodes.Node]] = [
        *((loop.target, loop.iter) for loop in tree.find_all(nodes.For)),
        *((each.target, each.node) for each in tree.find_all(nodes.Assign)),
    ]
    sources: dict[str, set[str]] = {}
    for _ in range(len(steps)):  # each round goes at least one step further
        for target, value in steps:
            comes = set().union(*(sources.get(name, {name}) for name in _names(value)), set())
            for name in _targets(target):
                sources.setdefault(name, set()).update(comes)
    return sources


def _targets(node: nodes.Node) -> Iterator[str]:
    """The names that are set; of a tuple all."""
    from jinja2 import nodes

    if isinstance(node, (nodes.Name, nodes.NSRef)):
        yield node.name
    for child in node.iter_child_nodes():
        yield from _targets(child)


def _names(node: nodes.Node) -> Iterator[str]:
    """The names whose values are in what this expression gives."""
    from jinja2 import nodes

    if isinstance(node, nodes.Filter) and node.name in _SAFE:
        return
    if isinstance(node, nodes.Name):
        yield node.name
    elif isinstance(node, nodes.CondExpr):
        yield from _names(node.expr1)
        if node.expr2 is not None:
            yield from _names(node.expr2)
    elif not isinstance(node, (nodes.Compare, nodes.Not, nodes.Test)):  # true or false
        for child in node.iter_child_nodes():
            yield from _names(child)

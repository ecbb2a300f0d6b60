"""YAML text to plain data, with the place of every value kept.

The C loader composes a tree of nodes; the data is constructed from it here and not by PyYAML, so
that only plain types come out (no dates, no sets, no Python objects), duplicate keys are refused,
and what aliases expand to is bounded before anything is built. The nodes stay: a value's line and
column are looked up in them only when something is wrong with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import yaml

from marianne.model.errors import Problem, ScoreError

MAX_BYTES = 8 * 2**20
"""Of the text of a score."""

MAX_DEPTH = 100
# What libyaml may recurse to on its own: 300 bytes of an 8 MB stack a level, measured.
HARMLESS_DEPTH = 5_000
MAX_VALUES = 2_000_000
MAX_FROM_ALIASES = 200_000

_TAG = "tag:yaml.org,2002:"
_STR, _INT, _FLOAT, _BOOL = f"{_TAG}str", f"{_TAG}int", f"{_TAG}float", f"{_TAG}bool"
_NULL, _MERGE, _TIME = f"{_TAG}null", f"{_TAG}merge", f"{_TAG}timestamp"
_VALUE = f"{_TAG}value"
_MAP, _SEQ = f"{_TAG}map", f"{_TAG}seq"
_SCALARS = yaml.constructor.SafeConstructor()

PathPart = str | int


class Document:
    """A parsed YAML document: ``data``, and the place of each value in the text.

    Keys that stand twice and values that are no plain data are a ScoreError; with ``lenient`` they
    are ``problems``, and the data has the first of the two, or None.
    """

    def __init__(self, text: str, file: str = "<score>", *, lenient: bool = False) -> None:
        self.file = file
        self.problems: list[Problem] = []
        self.meant: dict[tuple[PathPart, ...], PathPart] = {}
        """For the path of a key that is only meant: the key that is written instead."""
        root = _compose(text.removeprefix("\ufeff"), file)
        if root is None:
            raise ScoreError([Problem("the file is empty", file=file, line=1, column=1)])
        self._root: yaml.Node = root
        self._check_size()
        self.data: Any = self._construct(self._root)
        if self.problems and not lenient:
            raise ScoreError(dict.fromkeys(self.problems))

    def problem(
        self, path: Sequence[PathPart], message: str, hint: str | None = None, *, key: bool = False
    ) -> Problem:
        """A problem at the value (or, with ``key``, at the key) that ``path`` leads to.

        A path that the document does not hold is placed at its last part that is there.
        """
        line, column = self.locate(path, key=key)
        return Problem(message, render_path(self._written(path)), line, column, hint, self.file)

    def locate(self, path: Sequence[PathPart], *, key: bool = False) -> tuple[int, int]:
        """The 1-based line and column of the value at ``path``, or of its key."""
        node: yaml.Node = self._root
        mark = node.start_mark
        path = self._written(path)
        for index, part in enumerate(path):
            found = _child(node, part)
            if found is None:
                break
            key_node, node = found
            last = index == len(path) - 1
            mark = key_node.start_mark if key and last and key_node else node.start_mark
        return mark.line + 1, mark.column + 1

    def text_line(self, path: Sequence[PathPart], offset: int) -> tuple[int, int]:
        """The place of the ``offset``-th line (1-based) of the text at ``path``.

        Exact for block scalars (``|``); for other styles it is the place of the value.
        """
        line, column = self.locate(path)
        node = self._node(path)
        if isinstance(node, yaml.ScalarNode) and node.style == "|":
            return line + offset, 1
        return line, column

    def first_line(self, path: Sequence[PathPart]) -> int:
        """The line on which the text at ``path`` begins; 0 where it is written in another way than
        line by line (folded, or with escapes)."""
        found = self._node(path)
        if not isinstance(found, yaml.ScalarNode):
            return 0
        begin = found.start_mark.line + 1
        if found.style == "|":
            return begin + 1
        return begin if begin == found.end_mark.line + 1 and "\n" not in found.value else 0

    def written(self, path: Sequence[PathPart]) -> str | None:
        """The value at ``path`` as it is written; None where that is no single word or text."""
        found = self._node(path)
        return str(found.value) if isinstance(found, yaml.ScalarNode) else None

    def _node(self, path: Sequence[PathPart]) -> yaml.Node | None:
        node: yaml.Node | None = self._root
        for part in self._written(path):
            found = _child(node, part) if node is not None else None
            node = found[1] if found else None
        return node

    def _written(self, path: Sequence[PathPart]) -> Sequence[PathPart]:
        """The path with the keys as they are written."""
        if not self.meant:
            return path
        return [self.meant.get(tuple(path[: at + 1]), part) for at, part in enumerate(path)]

    def _check_size(self) -> None:
        """Refuses loops and bombs: counts what the aliases expand to without expanding it."""
        sizes: dict[int, int] = {}
        open_nodes: set[int] = set()
        seen = 0

        def size(node: yaml.Node) -> int:
            nonlocal seen
            if isinstance(node, yaml.ScalarNode):
                seen += 1
                return 1
            known = sizes.get(id(node))
            if known is not None:
                return known
            if id(node) in open_nodes:
                raise ScoreError([self._at(node, "an alias that contains itself")])
            if len(open_nodes) >= MAX_DEPTH:
                raise ScoreError([self._at(node, f"nested deeper than {MAX_DEPTH} levels")])
            open_nodes.add(id(node))
            seen += 1
            parts = node.value
            if isinstance(node, yaml.MappingNode):
                total = 1 + sum(size(key) + size(value) for key, value in parts)
            else:
                total = 1 + sum(map(size, parts))
            open_nodes.discard(id(node))
            sizes[id(node)] = total
            return total

        total = size(self._root)
        if total > MAX_VALUES or total - seen > MAX_FROM_ALIASES:
            what = (
                f"the aliases expand to {total:,} values" if total > seen else f"{total:,} values"
            )
            limit = MAX_FROM_ALIASES if total > seen else MAX_VALUES
            raise ScoreError([self._at(self._root, f"{what}; at most {limit:,} are allowed")])

    def _at(self, node: yaml.Node, message: str, hint: str | None = None) -> Problem:
        mark = node.start_mark
        return Problem(message, "", mark.line + 1, mark.column + 1, hint, self.file)

    def _construct(self, node: yaml.Node) -> Any:
        if isinstance(node, yaml.ScalarNode):
            return node.value if node.tag == _STR else self._scalar(node)
        if isinstance(node, yaml.MappingNode) and node.tag == _MAP:
            return self._mapping(node)
        if isinstance(node, yaml.SequenceNode) and node.tag == _SEQ:
            return [self._construct(item) for item in node.value]
        self.problems.append(self._bad_tag(node))
        return None

    def _scalar(self, node: yaml.ScalarNode) -> Any:
        tag = node.tag
        try:
            if tag in {_TIME, _VALUE}:
                return node.value  # a date is the text that was written
            if tag == _INT:
                number = _SCALARS.construct_yaml_int(node)
                if not -(2**63) <= number < 2**63:
                    raise ValueError("out of range")
                return number
            if tag == _FLOAT:
                return _SCALARS.construct_yaml_float(node)
            if tag == _BOOL:
                return _SCALARS.construct_yaml_bool(node)
        except (ValueError, KeyError, OverflowError):
            text = str(node.value)[:40]
            kind = tag.removeprefix(_TAG)
            self.problems.append(self._at(node, f"'{text}' is no {kind} that can be used here"))
            return None
        if tag == _NULL:
            return None
        self.problems.append(self._bad_tag(node))
        return None

    def _bad_tag(self, node: yaml.Node) -> Problem:
        tag = node.tag.replace(_TAG, "!!")
        return self._at(node, f"the tag {tag} is not allowed", "a score is plain data")

    def _mapping(self, node: yaml.MappingNode) -> dict[Any, Any]:
        result: dict[Any, Any] = {}
        merges: list[yaml.Node] = []
        for key_node, value_node in node.value:
            if key_node.tag == _MERGE:
                merges.append(value_node)
                continue
            if not isinstance(key_node, yaml.ScalarNode):
                self.problems.append(self._at(key_node, "a key must be plain text or a number"))
                continue
            key = key_node.value if key_node.tag == _STR else self._key(key_node)
            if key in result:
                self.problems.append(
                    self._at(key_node, f"the key '{key}' stands here twice", "remove one")
                )
                continue
            result[key] = self._construct(value_node)
        for merged in merges:
            for key, value in self._merged(merged).items():
                result.setdefault(key, value)
        return result

    def _key(self, node: yaml.ScalarNode) -> Any:
        """Keys are text or integers; ``on:``, ``yes:`` and ``1.5:`` are what was written."""
        if node.tag == _INT:
            return self._scalar(node)
        return node.value

    def _merged(self, node: yaml.Node) -> dict[Any, Any]:
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node)
        if isinstance(node, yaml.SequenceNode) and all(
            isinstance(item, yaml.MappingNode) for item in node.value
        ):
            result: dict[Any, Any] = {}
            for item in node.value:
                for key, value in self._mapping(item).items():
                    result.setdefault(key, value)
            return result
        self.problems.append(self._at(node, "'<<' takes a map or a list of maps"))
        return {}


def _compose(text: str, file: str) -> yaml.Node | None:
    try:
        if len(text) > MAX_BYTES:
            message = f"the score is {len(text):,} characters long; at most {MAX_BYTES:,}"
            raise ScoreError([Problem(message, file=file)])
        _check_depth(text, file)
        node: yaml.Node | None = yaml.compose(text, Loader=yaml.CSafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        message = str(error.problem or error.context)
        hint = None
        if "cannot start any token" in message:
            hint = "YAML is indented by spaces, not tabs; quote text that begins with a sign"
        elif "mapping values are not allowed" in message:
            hint = "quote text that contains ': '"
        raise ScoreError([Problem(message, "", line, column, hint, file)]) from None
    except yaml.YAMLError as error:
        position = getattr(error, "position", 0) or 0
        line = text.count("\n", 0, position) + 1
        column = position - (text.rfind("\n", 0, position) + 1) + 1
        message = " ".join(str(error).split("\n")[0].split())
        raise ScoreError([Problem(message, "", line, column, None, file)]) from None
    except UnicodeEncodeError as error:
        line = text.count("\n", 0, error.start) + 1
        raise ScoreError(
            [Problem("text that is no valid Unicode", "", line, 1, None, file)]
        ) from None
    return node


def _check_depth(text: str, file: str) -> None:
    """Refuses deep nesting before composing: libyaml recurses on the C stack without a limit."""
    if sum(text.count(opener) for opener in ("[", "{", "- ", "? ")) <= HARMLESS_DEPTH:
        return  # indentation alone cannot nest deeper than this within MAX_BYTES
    depth = 0
    for event in yaml.parse(text, Loader=yaml.CSafeLoader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > MAX_DEPTH:
                line = event.start_mark.line + 1 if event.start_mark else 1
                message = f"nested deeper than {MAX_DEPTH} levels"
                raise ScoreError([Problem(message, "", line, 1, None, file)])
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


def _child(node: yaml.Node, part: PathPart) -> tuple[yaml.Node | None, yaml.Node] | None:
    """The key and value nodes at ``part``; what a merge key brings in is looked for last."""
    if isinstance(node, yaml.SequenceNode):
        if isinstance(part, int) and 0 <= part < len(node.value):
            return None, node.value[part]
        return None
    if not isinstance(node, yaml.MappingNode):
        return None
    merges: list[yaml.Node] = []
    for key, value in node.value:
        if key.tag == _MERGE:
            merges.extend(value.value if isinstance(value, yaml.SequenceNode) else [value])
        elif key.value == str(part):
            return key, value
    for merged in merges:
        found = _child(merged, part)
        if found is not None:
            return found
    return None


def render_path(path: Sequence[PathPart]) -> str:
    """``('sheets', 2, 'timeout')`` as ``sheets[2].timeout``; map keys that are numbers likewise."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += f".{part}" if text else str(part)
    return text

"""One setting changed in the text of a configuration file; everything else in it stays as it is.

Text in, text out: comments, order and spelling of the rest are the author's.
"""

from __future__ import annotations

import json
import re

import yaml

INDENT = "  "
_PLAIN = re.compile(r"[A-Za-z0-9_/~][A-Za-z0-9_./~-]*")


class NotEditableError(ValueError):
    """The place cannot be found or made in this text; its author has to."""


def put(text: str, name: str, written: str) -> str:
    """The text with the setting of this dotted name; NotEditableError where a hand has to do it.

    ``written`` is the value on one line of YAML, see :func:`scalar`.
    """
    root = yaml.compose(text, yaml.SafeLoader)
    if root is None:
        return _joined(text, _lines(name.split("."), written, ""))
    if not isinstance(root, yaml.MappingNode) or root.flow_style:
        raise NotEditableError("the file is not a map with a key a line")
    node: yaml.MappingNode = root
    parts = name.split(".")
    for depth, part in enumerate(parts):
        pair = next(((k, v) for k, v in node.value if k.value == part), None)
        if pair is None:
            return _insert(text, node, root, parts[depth:], written)
        key, inner = pair
        if depth == len(parts) - 1:
            return _replace(text, key, inner, written)
        if isinstance(inner, yaml.ScalarNode) and inner.value in ("", "null", "~"):
            lines = _lines(parts[depth + 1 :], written, " " * key.start_mark.column + INDENT)
            return _after_line(text, key.start_mark.index, lines)
        if not isinstance(inner, yaml.MappingNode):
            raise NotEditableError(f"'{part}' is no map")
        node = inner
    raise AssertionError("a name has at least one part")


def scalar(text: str) -> str:
    """What a person typed, as one value of YAML: text in quotes where it would be read as more."""
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError:
        value = text
    if not isinstance(value, str):
        return text.strip() or "null"
    return text if _PLAIN.fullmatch(text) else json.dumps(text)


def _replace(text: str, key: yaml.Node, value: yaml.Node, written: str) -> str:
    start, end = value.start_mark.index, value.end_mark.index
    if isinstance(value, yaml.ScalarNode) and value.style in ("|", ">"):
        raise NotEditableError("its value is a block of text")
    if isinstance(value, yaml.CollectionNode) and not value.flow_style:
        raise NotEditableError(f"'{key.value}' has values on lines of their own")
    if start == end:  # nothing was written after the colon
        colon = text.index(":", key.end_mark.index) + 1
        return f"{text[:colon]} {written}{text[colon:]}"
    return text[:start] + written + text[end:]


def _insert(
    text: str, node: yaml.MappingNode, root: yaml.Node, parts: list[str], written: str
) -> str:
    if node is root:
        return _joined(text, _lines(parts, written, ""))
    if node.flow_style:
        inner = written
        for part in reversed(parts[1:]):
            inner = f"{{{part}: {inner}}}"
        at = node.start_mark.index + 1
        more = ", " if node.value else ""
        return f"{text[:at]}{parts[0]}: {inner}{more}{text[at:]}"
    first = node.value[0][0].start_mark
    lines = _lines(parts, written, " " * first.column)
    at = first.index - first.column
    return text[:at] + lines + text[at:]


def _after_line(text: str, index: int, lines: str) -> str:
    end = text.find("\n", index)
    return _joined(text, lines) if end < 0 else text[: end + 1] + lines + text[end + 1 :]


def _joined(text: str, lines: str) -> str:
    return (text if not text or text.endswith("\n") else text + "\n") + lines


def _lines(parts: list[str], written: str, indent: str) -> str:
    lines = "".join(f"{indent}{INDENT * depth}{part}:\n" for depth, part in enumerate(parts[:-1]))
    return f"{lines}{indent}{INDENT * (len(parts) - 1)}{parts[-1]}: {written}\n"

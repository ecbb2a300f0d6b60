"""The supervision tree as lines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from marianne.cli.render.out import clean, paint, say

_COLOUR = {"idle": "dim", "busy": "cyan", "crashed": "red", "zombie": "red"}


def print_tree(nodes: Sequence[Mapping[str, Any]]) -> None:
    """A line a node: name, state, and what is unusual about it."""
    for node in nodes:
        say(_line(node))
        _children(node, "")


def _children(node: Mapping[str, Any], indent: str) -> None:
    children = node.get("children") or []
    for place, child in enumerate(children):
        last = place == len(children) - 1
        say(f"{indent}{'└─ ' if last else '├─ '}{_line(child)}")
        _children(child, indent + ("   " if last else "│  "))


def _line(node: Mapping[str, Any]) -> str:
    state = str(node.get("state", ""))
    words = [
        paint(clean(str(node["name"])), "bold"),
        paint(state, *([_COLOUR[state]] if state in _COLOUR else [])),
    ]
    if node.get("restarts"):
        words.append(f"restarts {node['restarts']}")
    if node.get("mailbox"):
        words.append(f"mailbox {node['mailbox']}")
    if node.get("last_crash"):
        crash = node["last_crash"]
        told = crash.get("error", crash) if isinstance(crash, Mapping) else crash
        words.append(paint(f"last crash: {clean(str(told))}", "red"))
    return "  ".join(word for word in words if word)

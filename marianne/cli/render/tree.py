"""The supervision tree as lines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from marianne.cli.render.out import clean, paint, say

if TYPE_CHECKING:
    from actors.inspect import TreeNode

_COLOUR = {"idle": "dim", "busy": "cyan", "zombie": "red"}


def print_tree(nodes: Sequence[TreeNode]) -> None:
    """A line a node: name, state, and what is unusual about it."""
    for node in nodes:
        say(_line(node))
        _children(node, "")


def _children(node: TreeNode, indent: str) -> None:
    children = node["children"]
    for place, child in enumerate(children):
        last = place == len(children) - 1
        say(f"{indent}{'└─ ' if last else '├─ '}{_line(child)}")
        _children(child, indent + ("   " if last else "│  "))


def _line(node: TreeNode) -> str:
    state = node["state"]
    words = [
        paint(clean(node["name"]), "bold"),
        paint(state, *([_COLOUR[state]] if state in _COLOUR else [])),
    ]
    if node["restarts"]:
        words.append(f"restarts {node['restarts']}")
    if node["mailbox"]:
        words.append(f"mailbox {node['mailbox']}")
    if node["last_crash"]:
        words.append(paint(f"last crash: {clean(node['last_crash'])}", "red"))
    return "  ".join(word for word in words if word)

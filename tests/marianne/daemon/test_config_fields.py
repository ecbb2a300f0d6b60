"""Each setting of conductor.yaml is read by some code, or is named as one without effect.

What is looked for is the attribute: ``….learning.enabled``, or ``config.enabled`` where the module
calls ``….learning`` so, or takes a ``LearningConfig`` by that name. A setting that is only checked
and stored has no such place.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import marianne
from marianne.daemon import config
from marianne.daemon.config import DaemonConfig
from marianne.daemon.config.inert import AS_IT_IS, WITHOUT_EFFECT, reason
from marianne.daemon.config.sections import Section

SOURCES = sorted(Path(marianne.__file__).parent.rglob("*.py"))
CONFIG = Path(config.__file__).parent
TOP = {"config", "_config", "new_config"}
SHOWN = {"config_file"}
"""What nobody sets: it says where the others come from."""


def last_word(node: ast.expr) -> str | None:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else None


def called(tree: ast.AST, sections: dict[str, str]) -> Iterator[tuple[str, str]]:
    """Names in a module that stand for a section, by assignment or annotation."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and len(node.targets) == 1:
            left, right = node.targets[0], node.value
            pairs = [(left, right)]
            if isinstance(left, ast.Tuple) and isinstance(right, ast.Tuple):
                pairs = list(zip(left.elts, right.elts, strict=True))
            for target, value in pairs:
                name, section = last_word(target), last_word(value)
                if name and isinstance(value, ast.Attribute) and section in sections.values():
                    yield name, str(section)
        if isinstance(node, ast.arg) and node.annotation is not None:
            section = sections.get(last_word(node.annotation) or "")
            if section:
                yield node.arg, section


@cache
def read_somewhere() -> set[str]:
    """The dotted names of the settings that some code reads."""
    kinds = section_kinds()
    found: set[str] = set()
    for path in SOURCES:
        tree: ast.AST = ast.parse(path.read_text())
        if path.parent == CONFIG:
            found |= read_by_itself(tree, kinds)
            continue
        aliases = {**dict(called(tree, kinds)), **{name: name for name in kinds.values()}}
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute):
                base = last_word(node.value) or ""
                found |= {f"{aliases[base]}.{node.attr}"} if base in aliases else set()
                found |= {node.attr} if base in TOP else set()
    return found


def read_by_itself(tree: ast.AST, kinds: dict[str, str]) -> set[str]:
    """What the configuration's own methods read for others: ``DaemonConfig.at``, a property."""
    found = set()
    for model in [n for n in ast.walk(tree) if isinstance(n, ast.ClassDef)]:
        prefix = f"{kinds[model.name]}." if model.name in kinds else ""
        for method in [n for n in model.body if isinstance(n, ast.FunctionDef)]:
            words = {last_word(decorator) for decorator in method.decorator_list}
            if words <= {"property"}:
                for node in ast.walk(method):
                    if isinstance(node, ast.Attribute):
                        base = last_word(node.value)
                        found |= {prefix + node.attr} if base == "self" else set()
                        found |= {f"{base}.{node.attr}"} if base in kinds.values() else set()
    return found


def section_kinds() -> dict[str, str]:
    """The sections that stand in the configuration, by the name of their model."""
    return {
        field.annotation.__name__: name
        for name, field in DaemonConfig.model_fields.items()
        if isinstance(field.annotation, type) and issubclass(field.annotation, Section)
    }


def test_each_setting_is_read_or_named_as_one_without_effect() -> None:
    read = read_somewhere() | SHOWN
    unread = [name for name in DaemonConfig.names() if name not in read and name not in AS_IT_IS]
    assert [name for name in unread if reason(name) is None] == []


@pytest.mark.slow
def test_what_is_named_without_effect_is_a_setting_and_is_read_nowhere() -> None:
    known = set(DaemonConfig.names()) | set(DaemonConfig.model_fields)
    assert set(WITHOUT_EFFECT) <= known
    assert set(WITHOUT_EFFECT) & read_somewhere() == set()

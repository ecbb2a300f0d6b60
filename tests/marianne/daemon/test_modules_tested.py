"""Each module of the conductor has a test of its own, which starts no conductor."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
TESTS = ROOT / "tests" / "marianne"

# What starts the program, or a stand-in for it, is no unit test.
STARTS = {TESTS / "cli", TESTS / "run" / "run_conductor.py"}


def modules() -> Iterator[str]:
    """The modules of marianne.daemon that promise anything: not those of a docstring alone."""
    for path in sorted((ROOT / "marianne" / "daemon").rglob("*.py")):
        if len(ast.parse(path.read_text()).body) > 1:
            parts = path.relative_to(ROOT).with_suffix("").parts
            yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imported(source: str) -> set[str]:
    """The names that a source imports, and what they may be a module of."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("import a.b", "a.b"),
        ("from a import b", "a.b"),
        ("from a.b import c", "a.b"),
        ("def f():\n    from a.b import c", "a.b"),
    ],
)
def test_every_way_to_import_a_module_counts(source: str, name: str) -> None:
    assert name in imported(source)


def test_a_module_below_is_not_its_package() -> None:
    assert "a" not in imported("import a.b")
    assert "a.b.c" not in imported("from a import b")


@pytest.mark.slow
def test_each_module_of_the_conductor_is_imported_by_a_unit_test() -> None:
    known = set()
    for path in TESTS.rglob("*.py"):
        if not STARTS & {path, *path.parents}:
            known |= imported(path.read_text())
    assert {name for name in modules() if name not in known} == set(), "no unit test imports these"

"""scripts/mutants daemon [--only WORD] [--list]: each documented member, broken.

The members are those of tests/marianne/daemon/documented_api.txt. A broken one does nothing and
returns what looks like an answer: nothing, zero, an empty map, yes where it was no. Asked are the
tests of its class, then a program that embeds a conductor. Last, psutil is hidden.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

from mutant_frame import ROOT, Check, Plant, main, pytest

UNIT, E2E = "tests/marianne/daemon", "tests/e2e"
API = ROOT / UNIT / "documented_api.txt"
WHOLE = pytest(f"{E2E}/test_embedding.py", "-k", "documented")
FIGURES = pytest(f"{E2E}/test_embedding_figures.py")
ALONE = pytest(f"{E2E}/test_embedding_figures.py", "-k", "used_alone")

CHECKS: dict[str, tuple[Check, ...]] = {
    "BackpressureController": (pytest(f"{UNIT}/test_backpressure.py"),),
    "HealthChecker": (pytest(f"{UNIT}/test_health.py"),),
    "JobService": (pytest(f"{UNIT}/test_job_service.py"),),
    "JobMeta": (pytest(f"{E2E}/test_manager_face.py", "-k", "metadata"),),
    "JobManager": (),
    "ResourceMonitor": (pytest(f"{UNIT}/test_monitor.py"), ALONE),
    "NullOutput": (pytest(f"{UNIT}/test_output.py"),),
    "StructuredOutput": (pytest(f"{UNIT}/test_output.py"),),
    "ConsoleOutput": (pytest(f"{UNIT}/test_output.py"),),
    "ProcessGroupManager": (pytest(f"{UNIT}/test_pgroup.py"),),
    "DaemonProcess": (pytest(f"{E2E}/test_manager_face.py", "-k", "counts_running"),),
    "GlobalSheetScheduler": (pytest(f"{UNIT}/test_scheduler.py"), ALONE),
}

SEEN_FROM_OUTSIDE = frozenset(
    {
        "JobManager.cancel_job",
        "JobManager.failure_rate_elevated",
        "JobManager.notifications_degraded",
    }
)
"""Found by the figures, and by nothing before them."""

SOUND = {
    "NullOutput": "it does nothing",
    "OutputProtocol": "it is abstract",
    "JobManager.observer_recorder": "there is none",
}
"""What cannot be broken, and why."""

ANSWERS = {"bool": "False", "int": "0", "float": "0.0", "None": "None"}


def members() -> Iterator[tuple[str, str, str]]:
    """Module, class and name of each documented member that is code."""
    module = cls = ""
    for line in API.read_text().splitlines():
        if not line.startswith("  "):
            module, _, cls = line.partition(".") if line else ("", "", "")
        elif not line.strip().startswith("field "):
            yield module, cls, line.split("(")[0].split()[-1]


def broken(module: str, cls: str, name: str) -> Plant | None:
    """The member without its body; None for one that is none of its own."""
    file = file_of(module, cls)
    text = (ROOT / file).read_text()
    member = member_of(text, cls, name)
    return _plant(file, text, cls, member) if member is not None else None


def member_of(text: str, cls: str, name: str) -> ast.FunctionDef | ast.AsyncFunctionDef | None:
    """The class's own member of that name in a module's text."""
    return next(
        (
            member
            for node in ast.parse(text).body
            if isinstance(node, ast.ClassDef) and node.name == cls
            for member in node.body
            if isinstance(member, ast.FunctionDef | ast.AsyncFunctionDef) and member.name == name
        ),
        None,
    )


def file_of(module: str, cls: str) -> str:
    """Where a documented class is written."""
    moved = {"JobMeta": "jobmeta"}
    return f"marianne/daemon/{moved.get(cls, module)}.py"


def _plant(file: str, text: str, cls: str, member: ast.FunctionDef | ast.AsyncFunctionDef) -> Plant:
    lines = text.splitlines(keepends=True)
    first = member.body[1] if ast.get_docstring(member) else member.body[0]
    old = "".join(lines[member.lineno - 1 : member.end_lineno])
    head = "".join(lines[member.lineno - 1 : first.lineno - 1])
    returns = ast.unparse(member.returns) if member.returns is not None else "None"
    answer = "{}" if returns.startswith("dict") else ANSWERS.get(returns, "None")
    if f"return {answer}\n" == "".join(lines[first.lineno - 1 : member.end_lineno]).strip() + "\n":
        answer = "True" if returns == "bool" else "1"
    new = f"{head}        return {answer}\n"
    name = f"{cls}.{member.name}"
    last = (FIGURES, WHOLE) if name in SEEN_FROM_OUTSIDE else (WHOLE, FIGURES)
    return Plant(name, file, old, new, (*CHECKS[cls], *last))


PLANTS = [
    plant
    for module, cls, name in members()
    if cls not in SOUND and f"{cls}.{name}" not in SOUND and name != "__init__"
    for plant in [broken(module, cls, name)]
    if plant is not None
]

PLANTS.append(
    Plant(
        "psutil is uninstalled",
        "marianne/__init__.py",
        '''command-line steps."""''',
        '''command-line steps."""
import sys
sys.modules["psutil"] = None''',
        (pytest(f"{E2E}/test_pressure.py", "-k", "ready_shows"),),
    )
)
"""Without it no conductor starts, and the log says which package is missing."""

if __name__ == "__main__":
    assert Path(API).exists()
    sys.exit(main(PLANTS, sys.argv[1:], __doc__ or ""))

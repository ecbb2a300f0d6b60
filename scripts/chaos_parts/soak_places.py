"""The processes of one home, by the look of /proc, and what they are."""

from __future__ import annotations

import json
import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

HEART, CONDUCTOR, FORKSERVER = "heart", "conductor", "forkserver"
WORKER, SPARE, PARSER, CLIENT, SHEET = "worker", "spare", "parser", "client", "sheet"
ROLES = (HEART, CONDUCTOR, FORKSERVER, WORKER, SPARE, PARSER, CLIENT, SHEET)


@dataclass(frozen=True)
class Process:
    """A living process; ``start`` is field 22 of its stat, which tells it from a later one."""

    pid: int
    parent: int
    start: int
    state: str
    role: str
    line: str


def look(token: str) -> dict[int, Process]:
    """Every living process that carries the token in its environment or its command line."""
    mark, found = token.encode(), {}
    for name in os.listdir("/proc"):
        if not name.isdigit() or int(name) == os.getpid():
            continue
        try:
            folder = f"/proc/{name}"
            line = Path(f"{folder}/cmdline").read_bytes()
            environ = Path(f"{folder}/environ").read_bytes()
            if mark not in line and mark not in environ:
                continue
            head, _, tail = Path(f"{folder}/stat").read_text().rpartition(")")
        except OSError:
            continue
        fields = tail.split()
        if fields[0] in "ZX":
            continue
        words = line.replace(b"\0", b" ").decode(errors="replace").strip()
        role = role_of(head.partition("(")[2], words, b"MARIANNE_SHEET=" in environ)
        pid = int(name)
        found[pid] = Process(pid, int(fields[1]), int(fields[19]), fields[0], role, words)
    return found


MISTAKES = tuple(f"error: {kind}" for kind in (
    "AssertionError", "AttributeError", "IndexError", "KeyError", "NameError", "TypeError",
    "UnboundLocalError", "ValueError",
))  # fmt: skip


def mistakes(home: Path) -> Counter[str]:
    """Of the conductor's log: how often actors failed by what no fault of ours explains."""
    found: Counter[str] = Counter()
    for file in (home / "logs").glob("conductor.log*"):
        for line in file.read_text(errors="replace").splitlines():
            if '"actor_crashed"' in line and line.endswith("}"):
                told = json.loads(line[line.index("{") :])
                if told["error"].startswith(MISTAKES):
                    found[f"{told['error']}; {told['traceback'][-300:]}"] += 1
    return found


def uncollected(token: str) -> dict[int, str]:
    """The zombies whose parents carry the token, each with who should have collected it."""
    parents, found = look(token), {}
    for name in os.listdir("/proc"):
        try:
            fields = Path(f"/proc/{name}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if fields[0] == "Z" and int(fields[1]) in parents:
            found[int(name)] = parents[int(fields[1])].role
    return found


def role_of(comm: str, line: str, has_sheet: bool) -> str:
    """What a process of a home is, by its name and its command line."""
    if has_sheet:
        return SHEET
    for prefix, role in (("marianne-worker", WORKER), ("marianne-spare", SPARE)):
        if comm.startswith(prefix):
            return role
    if "marianne/heart.py" in line:
        return HEART
    if "-m marianne.daemon" in line:
        return CONDUCTOR
    if "multiprocessing.forkserver" in line:
        # The server itself has the name of the program; who it made has another, or is new.
        return FORKSERVER
    if "bin/marianne" in line:
        return CLIENT
    return SHEET


def refine(found: dict[int, Process]) -> dict[int, Process]:
    """Tells children from their parents, whose name they have until their exec: the forkserver's is
    a parser, or not yet a worker; a worker's is a sheet, and so is a hook, the child of a child of
    the forkserver."""
    out = {}
    for pid, process in found.items():
        parent = found.get(process.parent)
        role = process.role
        if parent is not None and parent.role == role:
            above = found.get(parent.parent)
            hook = above is not None and above.role == role == FORKSERVER
            role = SHEET if hook else {FORKSERVER: PARSER, WORKER: SHEET}.get(role, role)
        out[pid] = Process(pid, process.parent, process.start, process.state, role, process.line)
    return out


def still_there(seen: dict[int, Process]) -> list[Process]:
    """Those that live on, whatever they carry now: the same pid and the same start time."""
    return [process for process in list(seen.values()) if _start(process.pid) == process.start]


def _start(pid: int) -> int | None:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else int(fields[19])

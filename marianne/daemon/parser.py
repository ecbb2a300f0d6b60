"""Reads scores in short-lived child processes with limits.

A score is a stranger's text: parsing and expanding it happens in a child of the forkserver with
bounds on memory and CPU time, so that no score can hurt the conductor. The child writes the plan
into a file and ends; nothing waits for it, its end is a message.
"""

from __future__ import annotations

import gc
import itertools
import resource
import signal
import sys
from collections.abc import Hashable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import msgpack

from actors import Actor, Promise
from actors.process import Process, ProcessExit
from marianne.daemon.context import Context
from marianne.daemon.refusal import Refused
from marianne.daemon.storage import refused

MEMORY_LIMIT = 1 << 30
CPU_SECONDS = 30
WALL_SECONDS = 60.0
EXIT_NO_SPACE = 74
"""The child could not write what it found (EX_IOERR)."""


@dataclass(frozen=True, slots=True)
class ParseRequest:
    """What to read: ``text`` if given, else the file at ``path``; paths are absolute."""

    path: str | None
    text: str | None
    base_dir: str
    workspace: str | None
    variables: dict[str, str]
    instruments: str
    search_path: str
    prompts: bool = False


@dataclass(frozen=True, slots=True)
class Parsed:
    """A readable score: the packed plan and what the manager needs to know of it.

    ``archives`` says that a fresh run moves what is in the workspace away. ``after``
    are its on_success, concert and notifications sections, as far as it has them. ``repeatable``
    says that nothing but the score itself was read, and the instrument files; ``programs`` are
    those that it calls, and whether each was there.
    """

    name: str
    workspace: str
    sheet_count: int
    config_hash: str
    score: str
    plan: bytes
    warnings: list[str] = field(default_factory=list)
    sheets: list[dict[str, Any]] = field(default_factory=list)
    archives: bool = False
    after: dict[str, Any] = field(default_factory=dict)
    repeatable: bool = False
    programs: list[tuple[str, bool]] = field(default_factory=list)


class _Reading(NamedTuple):
    """A child at work. ``key`` is what the score was known by when it began."""

    promise: Promise[Parsed]
    path: Path
    request: ParseRequest
    key: Hashable | None


class Parser(Actor):
    """Hands scores to child processes; a crash here fails the submits under way, which retry."""

    def __init__(self, context: Context) -> None:
        super().__init__()
        self._context = context
        self._numbers = itertools.count(1)
        self._running: dict[Process, _Reading] = {}

    def on_start(self) -> None:
        """Clears what a crash left; the directory is only ours."""
        self._directory = self._context.home.path / "parse"
        self._directory.mkdir(mode=0o700, exist_ok=True)
        for left in self._directory.iterdir():
            left.unlink()

    def load(self, request: ParseRequest) -> Promise[Parsed]:
        """Answers the plan, or fails with :class:`Refused` ``invalid_score`` and its problems."""
        promise: Promise[Parsed] = self.promise()
        key = self._context.scores.key(request)
        answer = self._directory / f"{next(self._numbers)}"
        process = self._context.system.processes.start(
            parse_main, (asdict(request), str(answer)), name="marianne-parse"
        )
        self._running[process] = _Reading(promise, answer, request, key)
        self.watch(process)
        self.send_after(WALL_SECONDS, self.overdue, process)
        return promise

    def overdue(self, process: Process) -> None:
        """A child that takes too long is killed; its end answers the asker."""
        if process in self._running and process.alive():
            process.signal(signal.SIGKILL)

    def on_process_exit(self, process: Process, ending: ProcessExit) -> None:
        """The child's file says what it found; without one it died of its limits."""
        promise, path, request, key = self._running.pop(process)
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            if ending.exit_code == EXIT_NO_SPACE:
                promise.fail(refused(f"no space in {self._directory}"))
                return
            promise.fail(
                Refused(
                    "invalid_score",
                    "the score needs too much memory or time to read"
                    f" (limits: {MEMORY_LIMIT >> 20} MB, {CPU_SECONDS} s of CPU)",
                    hint="make it smaller; `marianne validate` shows where it grows",
                )
            )
            return
        path.unlink()
        answer = msgpack.unpackb(content)
        if "problems" in answer:
            promise.fail(
                Refused(
                    "invalid_score",
                    answer["message"],
                    hint="run `marianne validate` on the file",
                    data={"problems": answer["problems"]},
                )
            )
        else:
            parsed = Parsed(**answer)
            if parsed.repeatable and key == self._context.scores.key(request):
                self._context.scores.keep(key, parsed)
            promise.set(parsed)


def parse_main(request: dict[str, Any], answer: str) -> None:
    """The child: reads the score, writes the plan or the problems to ``answer`` atomically."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_LIMIT, MEMORY_LIMIT))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    from marianne.daemon.parse_child import parse

    gc.disable()  # it ends in a moment, and its memory is bounded
    part = Path(answer + ".part")
    found = msgpack.packb(parse(ParseRequest(**request)))
    try:
        part.write_bytes(found)
        part.rename(answer)
    except OSError:
        part.unlink(missing_ok=True)
        sys.exit(EXIT_NO_SPACE)

"""Commands that an actor has run beside a job, each in a confined process of its own."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from actors.process import Process, ProcessExit
from ipc import codec
from marianne.daemon.context import Context
from marianne.daemon.processes.job_files import lay_out
from marianne.run.confine import sweep_orphans
from marianne.state.reader import Reader


@dataclass(frozen=True, slots=True)
class SideCommand:
    """A command for a job; ``what`` is whatever its owner wants to know it by."""

    job_id: str
    argv: Sequence[str]
    cwd: str
    what: Any
    timeout: float = 300.0
    stdin: bytes | None = None
    extra: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a command ended. ``said`` is the end of what it printed, without credentials; ``lost``
    says that its process was ended with it: then it has come to nothing of its own. ``by_us``: not
    by a signal, which the command may have sent."""

    ok: bool
    words: str
    said: str = ""
    lost: bool = False
    by_us: bool = False


class SideCommands:
    """The commands that one actor has under way. The actor watches the processes itself."""

    def __init__(self, context: Context, name: str) -> None:
        self._context = context
        self._name = name
        self._numbers = itertools.count(1)
        self._running: dict[Process, tuple[SideCommand, Path]] = {}

    def __contains__(self, process: Process) -> bool:
        return process in self._running

    def __len__(self) -> int:
        return len(self._running)

    def start(self, errand: SideCommand, reader: Reader) -> Process:
        """Starts it; its end comes to the actor that watches the process."""
        context = self._context
        directory = context.home.job_dir(errand.job_id)
        lay_out(directory, reader.plan(errand.job_id), reader.environment(errand.job_id))
        answer = directory / f"{self._name}.{next(self._numbers)}"
        answer.unlink(missing_ok=True)
        settings = {
            "owner": context.owner,
            "job_id": errand.job_id,
            "job_dir": str(directory),
            "argv": list(errand.argv),
            "cwd": errand.cwd,
            "stdin": errand.stdin,
            "extra": errand.extra,
            "timeout": errand.timeout,
            "grace": context.config.sheet_grace_seconds,
        }
        process = context.system.processes.start(
            "marianne.run.errand:errand_main",
            (settings, str(answer)),
            f"marianne-{self._name} {errand.job_id}",
        )
        context.took_on(process)
        self._running[process] = (errand, answer)
        return process

    def ended(self, process: Process, ending: ProcessExit) -> tuple[SideCommand, Outcome]:
        """What became of it; nothing of it runs any more. After an OSError (what it said cannot be
        read just now) it may be asked again."""
        context = self._context
        context.let_go(process)
        errand, answer = self._running[process]
        try:
            found = codec.unpack(answer.read_bytes())
        except FileNotFoundError:
            del self._running[process]
            sweep_orphans(context.owner, errand.job_id, spare=tuple(context.workers))
            words, by_us = f"its process was lost: {ending}", ending.signal is None
            return errand, Outcome(False, words, lost=True, by_us=by_us)
        del self._running[process]
        answer.unlink()
        if found["ok"]:
            words = "exit code 0"
        elif found["why"]:
            words = found["why"]
        elif found["signal"] is not None:
            words = f"killed by signal {found['signal']}"
        else:
            words = f"exit code {found['exit_code']}"
        return errand, Outcome(found["ok"], words, found["output"])

"""A job that is none: what a spare worker plays while it waits, to be quicker when it counts.

A forked process shares its memory until it touches it, so whatever a worker does first takes two to
three times as long as the second time. So it does it once before it has a job: it reads a plan,
takes a grant, looks for a program that is not there, says how that ended, and is told to stop.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import msgpack

from marianne.model.plan import Instrument, Plan, Prompt, SheetPlan
from marianne.run.complain import complain
from marianne.run.link import Line, Message
from marianne.run.procfs import start_time
from marianne.score.pack import pack_plan

_LISTS = ("leading_flags", "mcp_disable_args", "extra_flags")
_UNSET = (
    "subcommand",
    "auto_approve_flag",
    "output_format_flag",
    "output_format_value",
    "model_flag",
    "timeout_flag",
    "working_dir_flag",
    "prompt_flag",
    "prompt_via_file",
    "stdin_sentinel",
    "allowed_tools_flag",
    "system_prompt_flag",
    "mcp_config_flag",
    "required_env",
)


class Player(Protocol):
    """What can be done with a worker here."""

    def run(self) -> bool:
        """Until it is told to stop."""

    def close(self) -> None:
        """Gives back what it had open."""


class Stage:
    """A line to nobody, on which the messages of the play arrive. What is said goes to ``said``."""

    def __init__(self) -> None:
        self._fd = os.eventfd(1, os.EFD_CLOEXEC)  # there is always something to hear
        sheet = {"num": 1, "attempt": 1, "fallback": 0, "completion": False, "ahead": False}
        self._script: list[list[Message]] = [
            [{"kind": "run", "slots": 1, "sheets": [sheet]}],
            [{"kind": "stop", "grace": 0.0, "category": "stopped"}],
        ]
        self.said: list[Message] = []
        self.waiting = 0

    def fileno(self) -> int:
        """Readable."""
        return self._fd

    def send(self, message: Message) -> None:
        """Nobody hears it, but packed it is."""
        msgpack.packb(message)
        self.said.append(message)

    def drain(self) -> list[Message]:
        """The next messages of the play."""
        return self._script.pop(0) if self._script else []

    def close(self) -> None:
        """The play is over."""
        os.close(self._fd)


def rehearse(make: Callable[[dict[str, Any], Line], Player], place: str, owner: str) -> Stage:
    """Has a worker made for a job in the directory ``place``, which is only for this, and plays it.

    What goes wrong is told, and no reason to end. Returns what the worker said.
    """
    stage = Stage()
    try:
        Path(place).mkdir(mode=0o700, exist_ok=True)
        Path(place, "spool").unlink(missing_ok=True)  # an attempt is played only once
        player = make(_settings(place, owner), stage)
        try:
            player.run()
        finally:
            player.close()
    except (OSError, ValueError, LookupError) as error:
        complain(f"the rehearsal failed: {error!r}")
    finally:
        stage.close()
    return stage


def _settings(place: str, owner: str) -> dict[str, Any]:
    missing = os.path.join(place, "no-program")
    command: dict[str, Any] = {
        **dict.fromkeys(_UNSET),
        **{name: [] for name in _LISTS},
        "executable": missing,
        "prompt_via_stdin": True,
        "env": {},
    }
    instrument = Instrument("rehearsal", raw_prompt=True, command=command)
    sheet = SheetPlan(1, "rehearsal", 1, instrument, Prompt("rehearsal"))
    plan = Plan("rehearsal", place, (sheet,), total_stages=1)
    return {
        "job_id": "rehearsal",
        "job_dir": place,
        "owner": owner,
        "conductor_pid": os.getpid(),
        "conductor_start_time": start_time(os.getpid()),
        "orphan_grace_seconds": 1.0,
        "sheet_grace_seconds": 1.0,
        "given": {"plan": pack_plan(plan), "env": msgpack.packb({"PATH": os.defpath})},
    }

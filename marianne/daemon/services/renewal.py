"""Replaces a conductor whose program was replaced, once somebody asks for a part that is not as it
was (:mod:`marianne.as_started`): by one of the new files, as `marianne restart` does.

Nobody sits there at night to type that. What runs goes on, whoever asked is told to ask again, and
does. The new files are first seen to be whole: they have been left alone for a second, and another
interpreter imports them, reads the configuration by them, and knows the database (for an older
program it may be too new). Until then this conductor goes on with what it has imported.

A restart of the conductor finds nothing: it is of the new files.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

from actors import Actor, ExitReason
from actors.process import Process, ProcessExit
from marianne import as_started
from marianne.daemon.context import Context
from marianne.daemon.shared.log import get_logger

log = get_logger(__name__)

LOOK_EVERY = 1.0
"""Seconds in which nothing may change until the new files are tried."""

AGAIN_AFTER = 60.0
"""Seconds until files that are of no use are tried again: somebody may be mending them."""

TARGET = "marianne.run.anew:run_anew"
TRIAL = """
import sys
import marianne.daemon.process
import marianne.run.worker
from marianne.daemon.config import load_config
from marianne.home import Home
from marianne.state.migrations import refuse_newer
home = Home(sys.argv[1])
refuse_newer(load_config(home, path=sys.argv[2] or None).config.at(home).db)
"""


def told_of(context: Context) -> Callable[[str], bool]:
    """For :func:`marianne.as_started.hold`: who tells the renewal, and knows whether it comes."""

    def told(file: str) -> bool:
        if context.heart_pid is None or context.heart_lost or context.client is not None:
            return False  # nobody would start another one
        context.system.handle(Renewal, "renewal").tell(Renewal.replaced, file)
        return context.renews

    return told


class Renewal(Actor):
    """At rest until it is told of a file that is not what it was."""

    def __init__(self, context: Context) -> None:
        super().__init__()
        self._context = context
        self._seen: dict[str, as_started.Signature] | None = None
        self._trial: Process | None = None

    def on_stop(self, reason: ExitReason) -> None:
        """A trial that runs is of no use to anybody."""
        if self._trial is not None:
            self._trial.kill()

    def replaced(self, file: str) -> None:
        """This file was wanted and is another one."""
        if self._seen is None:
            log.warning("program_replaced", file=file)
            self._seen = as_started.signatures()
            self.send_after(LOOK_EVERY, self.look)

    def look(self) -> None:
        """Tries the files if they were left alone."""
        before, self._seen = self._seen, as_started.signatures()
        if self._seen != before:
            self.send_after(LOOK_EVERY, self.look)
            return
        path = self._context.config_path
        argv = [sys.executable, "-c", TRIAL, str(self._context.home.path), str(path or "")]
        try:
            self._trial = self._context.system.processes.start(TARGET, (argv,), "marianne-trial")
        except (OSError, EOFError) as error:
            self._useless(repr(error))
            return
        self.watch(self._trial)

    def on_process_exit(self, process: Process, ending: ProcessExit) -> None:
        """The trial is over."""
        self._trial = None
        if ending.exit_code == 0:
            self._context.stop.ask("restart", why="its files were replaced")
        else:
            self._useless(str(ending))

    def _useless(self, why: str) -> None:
        """Who asks meanwhile is told that it needs a person."""
        log.error("program_not_usable", why=why)
        self._context.renews = False
        self.send_after(AGAIN_AFTER, self.look)

"""Looks after what people are told of the machine: the disk, pressure, nodes, the heart, deaths.

What is told and when stands in :mod:`marianne.notify.facts`. A trouble and that it was told are one
transaction, so it is told once. Where the disk takes no transaction it is told all the same, and
noted as told when it does.

What a restart finds: troubles that were told and are not over; those that are there still are not
told again. That the conductor before did not stop is seen at the start, before this one says that
it serves.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from actors import Actor, Outcome
from ipc import codec
from marianne.clock import steady
from marianne.daemon.context import Context
from marianne.daemon.services.notifications import Notifications
from marianne.daemon.services.store import Store
from marianne.daemon.shared.alive import ALIVE
from marianne.daemon.shared.log import get_logger
from marianne.notify.facts import (
    CONDUCTOR,
    HEART,
    NODE,
    PRESSURE,
    STORAGE,
    TROUBLE,
    WORDS,
    Facts,
    Key,
    Told,
)
from marianne.schedule.pressure import PressureLevel
from marianne.state.changes import AddEvent, Change, SetMeta
from marianne.state.errors import StoreError
from marianne.state.models import Event
from marianne.state.reader import Reader

log = get_logger(__name__)

LOOK_EVERY = 5.0

KEPT = "machine_facts"
"""The name in ``meta`` of what was told and is not over."""

PRESSED = (PressureLevel.HIGH, PressureLevel.CRITICAL)


class Machine(Actor):
    """Takes a look every five seconds, at what others know."""

    def __init__(self, context: Context) -> None:
        super().__init__()
        self._context = context
        self._facts = Facts()
        self._nodes: dict[str, str] = {}
        self._died: list[Told] = []
        self._unkept = False  # it was told, and that is not on disk
        self._writing = False

    def on_start(self) -> None:
        """Reads what was told, and whether the conductor before has stopped."""
        with Reader(self._context.home.db) as reader:
            self._facts = Facts(codec.unpack(reader.meta(KEPT) or b"\x90"))
            died = not self._context.serving and reader.meta(ALIVE) is not None
        self._nodes = self._facts.open(NODE)
        if died:
            now = time.time()
            self._died = [Told(TROUBLE, CONDUCTOR, "", WORDS[CONDUCTOR], now)]
        self.look()

    def node(self, name: str, why: str | None) -> None:
        """A node that ran sheets is not reached any more; None: it is, or nobody waits for it."""
        if why is None:
            self._nodes.pop(name, None)
        else:
            self._nodes[name] = why

    def look(self) -> None:
        """What is the case, and is that to be told?"""
        self.send_after(LOOK_EVERY, self.look)
        if self._writing:
            return
        told = [*self._died, *self._facts.decide(self._found(), steady(), time.time())]
        if told or self._unkept:
            self._write(told)

    def _found(self) -> dict[Key, str]:
        found: dict[Key, str] = {(NODE, name): why for name, why in self._nodes.items()}
        problem = self._context.storage.words()
        if problem is not None:
            found[STORAGE, ""] = problem
        level = self._context.backpressure.resource_level()
        if level in PRESSED:
            found[PRESSURE, ""] = f"{level}: {self._context.resources.in_words()}"
        if self._context.heart_lost:
            found[HEART, ""] = WORDS[HEART]
        return found

    def _write(self, told: Sequence[Told]) -> None:
        now = time.time()
        changes: list[Change] = [AddEvent(None, None, one.event, one.data(), now) for one in told]
        lasting = [one for one in told if one.kind != CONDUCTOR]
        changes.append(SetMeta(KEPT, codec.pack(self._facts.packed(lasting))))
        self._writing = True
        written = self._context.store.call(Store.write, changes, kept=False)
        self.pipe(written, self.written, told)

    def written(self, outcome: Outcome[list[Event]], told: Sequence[Told]) -> None:
        """It is on disk; or not, and is tried at the next look."""
        self._writing = False
        if outcome.error is not None:
            if isinstance(outcome.error, StoreError):
                self._without_disk(told)
            return
        self._unkept = False
        for one in told:
            log.warning(one.event.replace(".", "_"), kind=one.kind, what=one.what, why=one.why)
            if one.kind == CONDUCTOR:
                self._died = []
            else:
                self._facts.told(one)

    def _without_disk(self, told: Sequence[Told]) -> None:
        """That nothing can be written cannot wait until it can."""
        for one in told:
            if one.kind == STORAGE and one.event == TROUBLE:
                self._facts.told(one)
                self._unkept = True
                # No number of an event: those grow from 1 on.
                event = Event(-int(one.since * 1000), 0, one.since, None, None, TROUBLE, one.data())
                self._context.notifications.tell(Notifications.unwritten, event)

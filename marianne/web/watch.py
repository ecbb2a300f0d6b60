"""What a page shows, kept up to date for all that show the same: asked for once, told to each."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any, Final

from marianne.cli.errors import CliError
from marianne.records import dataclass
from marianne.web.hub import message
from marianne.web.refusals import error_map

PAUSE_SECONDS: Final = 0.5
"""Between two questions, however much happens."""

AGAIN_SECONDS: Final = 1.0
"""After a question that was refused."""

Snapshot = dict[str, Any]
Seen = dict[str, int]


@dataclass(frozen=True)
class View:
    """``snapshot`` asks for the parts of a page, by name. ``job`` is the one whose events change
    it; None: those of all. It is also asked each ``every`` seconds, and twice within ``pause``
    never."""

    snapshot: Callable[[], Awaitable[Snapshot]]
    job: str | None = None
    every: float | None = None
    pause: float = PAUSE_SECONDS


class Part:
    """One part of a page, as it was told last. ``step`` leads from the version before to this
    one."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._value: Any = None
        self.version = 0
        self.whole = self.step = b""

    def take(self, value: Any) -> bool:
        """Whether it has changed."""
        if self.version and value == self._value:
            return False
        before, self._value = self._value, value
        self.version += 1
        if isinstance(value, bytes):
            letters = value.decode("ascii")
            self.whole = message(self._name, {"all": letters})
            runs = differing(before, value) if isinstance(before, bytes) else None
            self.step = self.whole if runs is None else message(self._name, {"runs": runs})
        else:
            self.whole = self.step = message(self._name, value)
        return True


class Watch:
    """A view, as long as anybody looks. ``changed`` is called after each change."""

    def __init__(self, view: View, changed: Callable[[], None]) -> None:
        self.view = view
        self.viewers = 0
        self._changed = changed
        self._parts: dict[str, Part] = {}
        self._touched = asyncio.Event()
        self._touched.set()
        self._task: asyncio.Task[None] | None = None

    def touch(self) -> None:
        """Something has happened that may change it."""
        self._touched.set()

    def enter(self) -> None:
        """One more looks."""
        self.viewers += 1
        if self._task is None:
            self._touched.set()
            self._task = asyncio.create_task(self._run())

    def leave(self) -> None:
        """One looks no more; after the last nothing is asked any more."""
        self.viewers -= 1
        if not self.viewers and self._task is not None:
            self._task.cancel()
            self._task = None

    def since(self, seen: Seen) -> bytes:
        """The messages of what changed since; notes them as seen."""
        found = []
        for name, part in self._parts.items():
            last = seen.get(name, 0)
            if last != part.version:
                found.append(part.step if last == part.version - 1 and last else part.whole)
                seen[name] = part.version
        return b"".join(found)

    async def _run(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self.view.every):
                    await self._touched.wait()
            self._touched.clear()
            try:
                told = {**await self.view.snapshot(), "problem": None}
            except CliError as error:
                told = {"problem": error_map(error)}
            changed = {name for name, value in told.items() if self._part(name).take(value)}
            if changed:
                self._changed()
            if told["problem"] is None:
                await asyncio.sleep(self.view.pause)
            else:
                await asyncio.sleep(AGAIN_SECONDS)
                if told["problem"]["code"] != "not_found":
                    self._touched.set()

    def _part(self, name: str) -> Part:
        return self._parts.setdefault(name, Part(name))


CHUNK: Final = 256
MOST_RUNS: Final = 2_000


def differing(old: bytes, new: bytes) -> list[tuple[int, str]] | None:
    """Where the letters differ: each place (0 the first) with what stands there now, in pieces.

    None where it is shorter to tell all anew.
    """
    if len(old) > len(new):
        return None
    runs: list[tuple[int, str]] = []
    for start in range(0, len(new), CHUNK):
        piece = new[start : start + CHUNK]
        if old[start : start + CHUNK] != piece:
            runs.append(_narrowed(start, old[start : start + CHUNK], piece))
            if len(runs) > MOST_RUNS:
                return None
    return runs


def _narrowed(start: int, old: bytes, new: bytes) -> tuple[int, str]:
    """From the first letter that differs to the last."""
    first = 0
    while first < len(old) and old[first] == new[first]:
        first += 1
    last = len(new)
    if len(old) == len(new):
        while old[last - 1] == new[last - 1]:
            last -= 1
    return start + first, new[first:last].decode("ascii")

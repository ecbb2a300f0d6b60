"""The walls around what a worker starts for its sheets.

What is asked stands in the plan; what there is, the worker finds out where it runs, once, when the
first sheet asks. Rooms are used again: making one costs two forks, entering one a third of a
millisecond.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Mapping, Sequence

from marianne.run.complain import complain
from marianne.run.spawn import SpawnError
from marianne.walls.asked import Sandbox
from marianne.walls.blueprint import (
    QUEUES,
    Blueprint,
    PlaceError,
    Places,
    blueprint,
    temporary_places,
)
from marianne.walls.entering import passes, start_behind
from marianne.walls.offers import Offers, offers_of, read_switches
from marianne.walls.probe import look
from marianne.walls.room import Room, WallError, build, needs_room
from marianne.walls.standing import refusal, standing

CATEGORY = "sandbox"
"""Of an attempt that did not begin, for its walls could not be built."""


class Walls:
    """Walls of one kind. ``standing`` names those that stand."""

    def __init__(self, plan: Blueprint, walls: tuple[str, ...]) -> None:
        self.standing = walls
        self._plan = plan
        self._idle: list[Room] = []

    def take(self) -> Room | None:
        """A room, None where none is needed. Raises SpawnError, or OSError for what passes."""
        while self._idle:
            room = self._idle.pop()
            if not room.gone:
                return room
            room.end()
        if not needs_room(self._plan):
            return None
        try:
            return build(self._plan)
        except WallError as error:
            raise _told(error) from error

    def give_back(self, room: Room, *, clean: bool) -> None:
        """It is empty; ``clean``: nobody had to be ended in it."""
        if clean and not room.gone and room.clear():
            self._idle.append(room)
        else:
            room.end()

    def start(
        self,
        spawn: Callable[[], int],
        room: Room | None,
        cwd: str,
        files: Sequence[str],
        program: str,
    ) -> int:
        """What ``spawn`` returns, called behind the walls; see start_behind."""
        try:
            return start_behind(self._plan, room, spawn, cwd, files, program)
        except WallError as error:
            raise _told(error) from error


class Walled:
    """All that a job's sheets ask for, made when one first does."""

    def __init__(self, workspace: str, job_dir: str) -> None:
        self._workspace = workspace
        self._job_dir = job_dir
        self._offers: Offers | None = None
        self._made: dict[tuple[Sandbox, str | None, str | None], Walls] = {}

    def of(self, asked: Sandbox, env: Mapping[str, str]) -> Walls:
        """The walls for a sheet with that environment. Raises SpawnError where one that is required
        cannot be had, OSError for what passes."""
        key = (asked, env.get("TMPDIR"), env.get("HOME"))
        if key not in self._made:
            self._made[key] = self._make(asked, env)
        return self._made[key]

    def _make(self, asked: Sandbox, env: Mapping[str, str]) -> Walls:
        root = os.geteuid() == 0
        if self._offers is None:
            self._offers = offers_of(look(), read_switches(), root)
        stands = standing(asked, self._offers)
        if why := refusal(asked, stands):
            raise SpawnError(
                CATEGORY,
                f"The walls that are required cannot be had here: {why}; 'marianne doctor' lists "
                "what there is, 'when_missing: best-effort' takes what there is",
            )
        if stands.missing:
            complain(f"sheets run without a wall that they ask for: {'; '.join(stands.missing)}")
        os.makedirs(self._workspace, exist_ok=True)
        places = Places(
            workspace=self._workspace,
            home=_home(self._job_dir),
            sheets=os.path.join(self._job_dir, "sheets"),
            temporary=temporary_places(env),
            user=env.get("HOME") or "/",
            root=root,
            queues=QUEUES,
        )
        try:
            plan = blueprint(asked, stands, places)
        except PlaceError as error:
            raise SpawnError(CATEGORY, f"A place of its sandbox is not taken: {error}") from error
        return Walls(plan, stands.walls)


def _home(job_dir: str) -> str:
    """What holds the directories of all jobs: Marianne's home, or of a node what it has of it."""
    above = os.path.dirname(os.path.realpath(job_dir))
    return os.path.dirname(above) if os.path.basename(above) == "jobs" else above


def _told(error: WallError) -> SpawnError | OSError:
    if passes(error):
        return OSError(errno.EAGAIN, f"walls cannot be built just now: {error.strerror}")
    return SpawnError(CATEGORY, f"A wall of its sandbox could not be built: {error.strerror}")

"""What a worker starts stands in a control group of its own, where the home has any.

A group is a means, not a condition: where one cannot be made, or no process be started in it, a
program that is to be bounded by it waits for it, and any other runs as without groups, which is
said once.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping

from marianne.run.complain import complain
from marianne.run.spawn import Command, SpawnError, find_program, spawn
from marianne.walls.bounds import files_of, unkept
from marianne.walls.cgroups import Group
from marianne.walls.group_pool import Groups
from marianne.walls.group_spawn import survives

_TAKEN_AWAY = frozenset({errno.ENOENT, errno.ENODEV})

_OOM, _NO_PROCESS = "memory.events/oom_kill", "pids.events/max"


class Enclosure:
    """Starts programs for one worker process. ``groups`` None: the home has none."""

    def __init__(self, groups: Groups | None = None) -> None:
        self._groups = groups
        self._said: set[str] = set()

    @classmethod
    def of(cls, base: str | None, job_id: str) -> Enclosure:
        """Of a job, below the home's group, if it has one."""
        return cls(None if base is None else Groups(base, job_id))

    def spawn(self, command: Command, limits: Mapping[str, float]) -> tuple[int, Group | None]:
        """Starts it; returns its pid and its group. Raises SpawnError, and OSError for what the
        machine has no more of, or for limits that cannot be set now."""
        # Before anything else: a program that is not there is no reason to make a group.
        program = find_program(command.argv[0], command.env, command.cwd)
        made_anew = False
        while (taken := self._take(limits)) is not None:
            group, fd = taken
            try:
                return spawn(command, program, fd), group
            except SpawnError as error:
                self.over(group)
                if _usable(fd):
                    raise
                if made_anew or os.path.exists(group.path):
                    self._do_without(limits, error)
                else:
                    made_anew = True
                    self._forget()
            except OSError:
                self.over(group)
                raise
            finally:
                os.close(fd)
        return spawn(command, program), None

    def over(self, group: Group) -> str:
        """All that was in it is gone, or could not be ended; returns which limit it met."""
        met = _met(group) if group.bounded else ""
        if self._groups is not None:
            self._groups.give_back(group)
        return met

    def close(self) -> bool:
        """Ends all that is left in any; returns whether there is nobody now."""
        return self._groups is None or self._groups.close()

    def _take(self, limits: Mapping[str, float]) -> tuple[Group, int] | None:
        """A group with these limits, and a descriptor of it; None: it is to run in none."""
        try:
            controllers = () if self._groups is None else self._groups.begin()
            self._judge(limits, unkept(limits, controllers))
            return None if self._groups is None else self._open(limits, controllers)
        except OSError as error:
            self._do_without(limits, error)
            return None

    def _open(self, limits: Mapping[str, float], controllers: tuple[str, ...]) -> tuple[Group, int]:
        assert self._groups is not None
        bounds = files_of(limits, controllers)
        try:
            group = self._groups.take(bounds)
            return group, group.open()
        except OSError as error:
            if error.errno not in _TAKEN_AWAY:
                raise
        self._forget()
        group = self._groups.take(bounds)
        return group, group.open()

    def _forget(self) -> None:
        """Somebody took the groups away under us: made anew, once."""
        if self._groups is not None:
            self._groups.forget()

    def _do_without(self, limits: Mapping[str, float], why: Exception) -> None:
        """Raises OSError for limits that nobody would keep then."""
        if unkept(limits, ()) and not limits.get("best_effort"):
            raise OSError(errno.EAGAIN, f"its limits cannot be set now: {why}") from why
        self._groups = None
        self._say(f"no control group: {why}; what runs here is watched and ended as without")

    def _judge(self, limits: Mapping[str, float], lost: list[str]) -> None:
        if not lost:
            return
        if not limits.get("best_effort"):
            raise OSError(errno.ENOTSUP, f"nobody keeps {', '.join(lost)} here")
        self._say(f"limits that are not kept here: {', '.join(lost)}")

    def _say(self, words: str) -> None:
        if words not in self._said:
            self._said.add(words)
            complain(words)


def _met(group: Group) -> str:
    """In words; of a sheet that did not end well."""
    # Both are counted on, so both are asked for: the next attempt in it begins at none.
    ended = group.happened(_OOM) if group.keeps("memory.max") else 0
    refused = group.happened(_NO_PROCESS) if group.keeps("pids.max") else 0
    if ended:
        limit = int(group.read("memory.max")) >> 20
        return f"Its processes wanted more than {limit} MB of memory: the kernel ended them"
    if refused:
        limit = int(group.read("pids.max"))
        return f"It was refused another process {refused:,} times: it may have {limit:,}"
    return ""


def _usable(fd: int) -> bool:
    """Whether a process can be started in the group at all."""
    try:
        return survives(fd)
    except OSError:
        return False

"""The control groups of a conductor: whether it has any, made at its boot, removed at its end."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from marianne.daemon.shared.log import get_logger
from marianne.records import dataclass
from marianne.walls import cgroup_place, cgroups

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from marianne.home import Home

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class ControlGroups:
    """``base`` is the home's own group, None where it can have none: then ``why`` says why.
    ``missing`` says of each controller that cannot be had why not. ``lock`` is the descriptor that
    says that this process lives."""

    base: str | None
    why: str | None
    missing: Mapping[str, str]
    lock: int = -1

    @property
    def lacking(self) -> Mapping[str, str]:
        """Why each controller that cannot be had is missing."""
        if self.why is None:
            return self.missing
        return dict.fromkeys(cgroup_place.CONTROLLERS, self.why)

    def end_abandoned(self, job_id: str | None = None) -> list[int]:
        """Ends what is left in the groups of jobs (or of this one) that no worker holds."""
        return [] if self.base is None else cgroups.end_abandoned(self.base, job_id)

    def leave(self, *, all_over: bool) -> None:
        """The conductor ends; with ``all_over`` nothing of its jobs goes on."""
        if self.base is None:
            return
        os.close(self.lock)
        if all_over:
            self.end_abandoned()
            cgroups.Group(self.base).remove()


NONE = ControlGroups(None, "nobody has looked", {})


def set_up(home: Home, ours: Collection[int] = ()) -> ControlGroups:
    """For the lock's holder, before its first job; ``ours`` are the processes that may be moved.

    What an earlier conductor of this home has elsewhere is ended; none of it goes on, for its
    workers would hold it. Empty groups of other homes, of which nobody lives, are taken away.
    """
    owner = home.owner()
    before = cgroups.base_of(home.path, owner)
    try:
        place = cgroup_place.find()
        cgroup_place.try_out(place)
        cgroups.remove_left(place.path)
        base, missing, lock = cgroup_place.prepare(place, owner, ours)
        try:
            _note(home, base)
        except OSError:
            os.close(lock)
            raise
    except (cgroup_place.MissingError, OSError) as error:
        log.info("no_control_groups", why=str(error))
        return ControlGroups(None, str(error), {})
    if before is not None and before != base:
        cgroups.end_abandoned(before)
        cgroups.Group(before).remove()
    return ControlGroups(base, None, missing, lock)


def _note(home: Home, base: str) -> None:
    """For whoever ends what we leave: the heart, a client, the next conductor."""
    place = home.path / cgroups.NAME_FILE
    fresh = place.with_name(f"{cgroups.NAME_FILE}.{os.getpid()}")
    fd = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        os.write(fd, f"{base}\n".encode())
    finally:
        os.close(fd)
    fresh.replace(place)

"""Where the files of a cluster's jobs lie: in a directory that all nodes have at the same path, or,
where there is none, in the conductor's own directory of the job, to which the bridge carries them.

``<shared>/marianne-<owner>/<job>/`` is the shared directory of a job: its plan, its environment,
what its sheets print, the claims of its attempts, a spool a node. The conductor's own directory of
the job has ``sheets`` and ``nodes`` in it as links there, so that whoever reads a job's files finds
them.

``used`` names the nodes that the job was ever given to, on disk before the first message to one:
by it a restart knows who has to be heard before it is known what runs.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from marianne.daemon.cluster.station import serial_of
from marianne.daemon.worker.job_files import lay_out
from marianne.home import Home
from marianne.run.archive import ARCHIVED
from marianne.run.spool import read_spool

LINKED = ("sheets", "nodes")
USED = "used"


class Places:
    """Of one executor. ``shared`` is its directory; None: files are staged."""

    def __init__(self, home: Home, owner: str, shared: Path | None) -> None:
        self._home = home
        self._root = home.jobs if shared is None else shared / f"marianne-{owner[:16]}"
        self.staged = shared is None

    def job_dir(self, job_id: str) -> Path:
        """The directory of a job on all nodes."""
        return self._root / job_id

    def spool(self, job_id: str, node: str) -> Path:
        """Where a node writes down how attempts ended."""
        return self.job_dir(job_id) / "nodes" / node / "spool"

    def make(self, job_id: str, plan: bytes, environment: bytes) -> None:
        """Makes the directory of a job, with what its workers read. Raises OSError."""
        lay_out(self.job_dir(job_id), plan, environment)
        self.link(job_id)

    def link(self, job_id: str) -> None:
        """What the conductor's machine writes of the job is found by all from now on, too; what it
        has written before is taken along. Not while it writes. Raises OSError."""
        directory, own = self.job_dir(job_id), self._home.job_dir(job_id)
        own.mkdir(mode=0o700, parents=True, exist_ok=True)
        for name in LINKED:
            (directory / name).mkdir(mode=0o700, parents=True, exist_ok=True)
            if not self.staged and not (own / name).is_symlink():
                _take_along(own / name, directory / name)
                (own / name).symlink_to(directory / name)

    def cleared(self, job_id: str) -> bool:
        """Whether the job has moved out of its workspace what earlier ones left."""
        return (self.job_dir(job_id) / ARCHIVED).exists()

    def used(self, job_id: str) -> list[str]:
        """The nodes that the job was given to, in the order of their indices (from 1)."""
        try:
            text = (self._home.job_dir(job_id) / USED).read_text()
        except FileNotFoundError:
            return []
        # The last line may be torn: then nothing was sent there.
        return text[: text.rfind("\n") + 1].splitlines()

    def use(self, job_id: str, node: str) -> None:
        """The job is about to be given to one more node; on disk when this returns."""
        known = self.used(job_id)
        place = self._home.job_dir(job_id) / USED
        fresh = place.with_name(f"{USED}.new")
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write("".join(f"{name}\n" for name in [*known, node]))
            file.flush()
            os.fsync(descriptor)
        fresh.replace(place)

    def finished(self, job_id: str, nodes: Iterable[str] | None = None) -> list[dict[str, Any]]:
        """The results in the spools of these nodes (default: of all that were used)."""
        used = self.used(job_id)
        found = []
        for index, node in enumerate(used, 1):
            if nodes is None or node in nodes:
                for result in read_spool(str(self.spool(job_id, node))):
                    serial = serial_of(result["serial"], index)
                    found.append({**result, "serial": serial, "node": node})
        return found

    def put_aside(self, job_id: str) -> Path | None:
        """Takes the shared directory of a job out of the way, to be removed; None if there is
        none."""
        if self.staged:
            return None
        gone = self._root / f".{job_id}.{os.urandom(4).hex()}"
        try:
            self.job_dir(job_id).rename(gone)
        except FileNotFoundError:
            return None
        return gone


def _take_along(place: Path, to: Path) -> None:
    """Moves what is in a directory, if there is one; what was cut off goes on where it was."""
    if not place.is_dir():
        return
    for one in place.iterdir():
        shutil.move(one, to / one.name)
    place.rmdir()

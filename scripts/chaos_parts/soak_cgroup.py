"""A limit on the number of processes and threads, by a control group, where we may make one."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

ROOTS = (Path("/sys/fs/cgroup/pids"), Path("/sys/fs/cgroup"))


class Pids:
    """A group of our own below ``root``. What is in it goes back there when the limit is lifted."""

    def __init__(self, root: Path, folder: Path) -> None:
        self._root, self._folder = root, folder

    def squeeze(self, pids: Iterable[int]) -> None:
        """From now on these and their children get no further process or thread."""
        for pid in pids:
            _put(self._folder / "cgroup.procs", str(pid))
        now = (self._folder / "pids.current").read_text().strip()
        _put(self._folder / "pids.max", now)

    def lift(self) -> None:
        """No limit, and nobody in the group."""
        _put(self._folder / "pids.max", "max")
        for _ in range(5):  # one that forks meanwhile has its child in the group again
            members = (self._folder / "cgroup.procs").read_text().split()
            if not members:
                return
            for pid in members:
                _put(self._root / "cgroup.procs", pid)

    def close(self) -> None:
        """Takes the group away."""
        try:
            self.lift()
            self._folder.rmdir()
        except OSError:
            pass


def group(name: str) -> Pids | None:
    """A new group; None where there is no controller, or we may not."""
    for root in ROOTS:
        folder = root / name
        try:
            folder.mkdir()
        except OSError:
            continue
        if (folder / "pids.max").exists():
            return Pids(root, folder)
        folder.rmdir()
    return None


def _put(file: Path, text: str) -> None:
    try:
        file.write_text(text)
    except ProcessLookupError:
        pass

"""A real small disk for the home, where this machine lets us: a file as a loop device, with ext4.

Its mount lives in a namespace of the soak's own (:func:`in_own_namespace`): when the last process
of the soak has died, the kernel takes the mount and the device away, however it died.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

SIZE_MB, INODES = 512, 60_000
MARK = "SOAK_NAMESPACE"


def in_own_namespace() -> None:
    """Runs this program again in a mount namespace of its own; returns where that cannot be."""
    if os.environ.get(MARK) or os.geteuid() != 0 or shutil.which("unshare") is None:
        return
    into = ["unshare", "--mount", "--propagation", "private"]
    if subprocess.run([*into, "true"], capture_output=True, check=False).returncode == 0:
        os.environ[MARK] = "1"
        os.execvp(into[0], [*into, sys.executable, *sys.argv])


class RealDisk:
    """The disk below ``home``. What fills it is removed by the function that each fault returns."""

    def __init__(self, home: Path) -> None:
        self._home = home

    def full(self) -> Callable[[], None]:
        """No byte is left."""
        filler = self._home / "filler"
        with open(filler, "wb") as file:
            try:
                left = os.statvfs(self._home)
                os.posix_fallocate(file.fileno(), 0, max(1, left.f_bavail * left.f_frsize))
                os.lseek(file.fileno(), 0, os.SEEK_END)
            except OSError:
                pass  # others took some meanwhile: the rest is written
            _write_all(file.fileno())
        return lambda: filler.unlink(missing_ok=True)

    def no_inodes(self) -> Callable[[], None]:
        """No further file can be made."""
        folder = self._home / "fillers"
        try:
            folder.mkdir()
            for number in range(INODES * 2):
                (folder / str(number)).touch()
        except OSError:
            pass
        return lambda: shutil.rmtree(folder, ignore_errors=True)


def _write_all(file: int) -> None:
    for size in (1 << 20, 1 << 12):
        piece = bytes(size)
        try:
            while os.write(file, piece) == size:
                pass
        except OSError:
            continue


def mount(folder: Path, home: Path) -> RealDisk | None:
    """Puts a disk of its own under the empty ``home``; None where that cannot be."""
    if not os.environ.get(MARK) or shutil.which("mkfs.ext4") is None:
        return None
    image = folder / "disk.img"
    with open(image, "wb") as file:
        file.truncate(SIZE_MB << 20)
    make = ["mkfs.ext4", "-q", "-F", "-m", "0", "-N", str(INODES), image]
    there = ["mount", "-o", "loop", image, home]
    for words in (make, there):
        if subprocess.run(words, capture_output=True, check=False).returncode:
            image.unlink(missing_ok=True)
            return None
    (home / "lost+found").rmdir()
    home.chmod(0o700)
    return RealDisk(home)


def keep(folder: Path, home: Path) -> None:
    """Copies a home on a disk of its own into ``folder``, where a look can find it afterwards."""
    shutil.copytree(home, folder / "home.kept", symlinks=True, ignore=_no_sockets)


def _no_sockets(place: str, names: list[str]) -> list[str]:
    return [name for name in names if not _plain(os.path.join(place, name))]


def _plain(path: str) -> bool:
    return os.path.islink(path) or os.path.isdir(path) or os.path.isfile(path)


def unmount(home: Path) -> None:
    """Takes the disk away again."""
    subprocess.run(["umount", "-l", home], capture_output=True, check=False)

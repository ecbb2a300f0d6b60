"""The places of one conductor's files, and the lock that says whether a conductor runs.

One directory holds everything: ``MARIANNE_HOME``, else the platform's user state directory. A
runtime directory would not do: it differs between a login, cron and ssh of one user, and two
conductors would share one database.

The commands that only ask something import this module, so it imports nothing heavy.
"""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path

from marianne.default_home import default_home
from marianne.private import (
    PRIVATE_FILE,
    HomeError,
    make_private,
    only_ours,
    private_directory,
    refuse_foreign_entries,
    refuse_foreign_links,
)
from marianne.run.holders import holders, holds, identity
from marianne.run.procfs import command_line, ending

__all__ = ["Home", "HomeError", "HomeLock", "config_places"]

OWNER_BYTES = 16

# A look at the lock holds it for microseconds (see Home.running), so a start that meets one
# looks again; a conductor holds it for good, so five looks tell the two apart.
_LOCK_LOOKS = 5
_LOCK_PAUSE = 0.002


STOPPING = "stopping"
"""What stands below the pids in the lock's file when the conductor stops for good."""


class HomeLock:
    """The held lock on a home. Whoever inherits it holds it too, until the last copy closes.

    ``fd`` is that of the file that names the holders, ``guard`` that of the home itself: the file
    can be removed, and then it would keep nobody out. -1 where whoever passed it on had none.
    """

    def __init__(self, fd: int, guard: int = -1) -> None:
        self.fd = fd
        self.guard = guard

    def write(self, conductor: int, heart: int | None = None) -> bool:
        """Says who holds the lock: the conductor's pid and, if there is one, the heart's.

        False where the disk fails: the lock holds all the same.
        """
        text = f"{conductor}\n" if heart is None else f"{conductor}\n{heart}\n"
        data = text.encode()
        try:
            # Over the old text first, cut afterwards: a reader never sees an empty file.
            os.pwrite(self.fd, data, 0)
            os.ftruncate(self.fd, len(data))
        except OSError:
            return False
        return True

    def stopping(self) -> bool:
        """Says that the holder is on its way to its end, for those who wait to be the next.

        False where the disk fails, which keeps nobody from ending.
        """
        try:
            os.pwrite(self.fd, f"{STOPPING}\n".encode(), os.fstat(self.fd).st_size)
        except OSError:
            return False
        return True

    def keep(self) -> HomeLock:
        """For who inherited it and passes it on to nobody; returns itself."""
        os.set_inheritable(self.fd, False)
        if self.guard >= 0:
            os.set_inheritable(self.guard, False)
        return self

    def release(self) -> None:
        """Lets the lock go here. The file stays: unlinking it would allow two locks at once."""
        for fd in (self.fd, self.guard):
            if fd >= 0:
                os.close(fd)


class Home:
    """Where a conductor keeps its files. Only ``prepare``, ``owner``, ``disown`` and ``lock``
    change the disk.

    ``path`` is the directory; without it ``MARIANNE_HOME``, else platformdirs' user state
    directory for ``marianne``. The keyword arguments move single files elsewhere, as the
    documented configuration fields do.
    """

    def __init__(
        self,
        path: str | os.PathLike[str] | None = None,
        *,
        db: str | os.PathLike[str] | None = None,
        conductor_sock: str | os.PathLike[str] | None = None,
        pid_file: str | os.PathLike[str] | None = None,
        log: str | os.PathLike[str] | None = None,
    ) -> None:
        self.path = Path(os.path.abspath(os.path.expanduser(path or default_home())))
        self.db = _place(db, self.path / "state.db")
        self.conductor_sock = _place(conductor_sock, self.path / "conductor.sock")
        self.events_sock = self.conductor_sock.with_name("events.sock")
        self.workers_sock = self.conductor_sock.with_name("workers2.sock")
        self.workers_key = self.conductor_sock.with_name("workers.key")
        self.old_workers_sock = self.conductor_sock.with_name("workers.sock")
        self.pid_file = _place(pid_file, self.path / "conductor.pid")
        self.owner_file = self.path / "owner"
        self.places_file = self.path / "places"
        self.config_file = self.path / "conductor.yaml"
        self.instruments = self.path / "instruments"
        self.logs = self.path / "logs"
        self.errors = (
            self.logs / "conductor.err"
        )  # what heart, conductor and workers have no log for
        self.log = _place(log, self.logs / "conductor.log")
        self.jobs = self.path / "jobs"
        self.rehearsal = self.path / "rehearsal"

    def __repr__(self) -> str:
        return f"Home({str(self.path)!r})"

    def job_dir(self, job_id: str) -> Path:
        """The directory of a job's files. ``job_id`` is an id, never a path."""
        if not job_id or "/" in job_id or job_id.startswith("."):
            raise ValueError(f"not a job id: {job_id!r}")
        return self.jobs / job_id

    def prepare(self) -> list[str]:
        """Makes the directories, each 0700, and returns a note for each one that it tightened.

        Raises HomeError when the place, a symlink on the way to it, or something in it belongs to
        another user; and for a directory that others can write and that holds other things too:
        it is not ours alone to close.
        """
        refuse_foreign_links(self.path)
        notes = private_directory(self.path, only_ours)
        refuse_foreign_entries(self.path)
        for directory in (self.instruments, self.logs, self.jobs):
            notes += private_directory(directory)
            refuse_foreign_entries(directory)
        self._prepare_places()
        return notes

    def _prepare_places(self) -> None:
        """Makes the directories of files that are kept outside of the home."""
        for place in (self.db, self.conductor_sock, self.pid_file, self.log):
            if place.parent not in (self.path, self.logs):
                refuse_foreign_links(place.parent)
                make_private(place.parent)

    def owner(self) -> str:
        """The marker of this home: 128 random bits as 32 hex digits, made once.

        Processes that carry it in their environment were started for this home. The file says
        beside it which directory it was made for; one without that (of an earlier version) is
        taken for ours, and says it from now on. Ask ``copied`` first.
        """
        try:
            owner, place = self._read_owner()
        except FileNotFoundError:
            fresh = self._write_owner(os.urandom(OWNER_BYTES).hex())
            try:
                # link, not rename: of two that come at once the first one's marker stays.
                os.link(fresh, self.owner_file)
            except FileExistsError:
                pass
            finally:
                os.unlink(fresh)
            return self._read_owner()[0]
        if not place:
            os.replace(self._write_owner(owner), self.owner_file)
        return owner

    def copied(self) -> bool:
        """Whether the marker was made for another directory: this one is a copy of it.

        The processes that carry the marker are then the other's, and so is every process that the
        copied database names. A directory that was moved within its file system is no copy; one
        that was moved to another counts as one, which costs nothing while nothing of it runs.
        """
        try:
            place = self._read_owner()[1]
        except FileNotFoundError:
            return False
        return place not in ("", self.mark())

    def disown(self) -> None:
        """Removes the marker; the next ``owner`` makes another. Only for the lock's holder."""
        self.owner_file.unlink()

    def _write_owner(self, owner: str) -> Path:
        """A new file beside the owner file with this marker and our place."""
        fresh = self.owner_file.with_name(f"owner.{os.getpid()}.{os.urandom(4).hex()}")
        fd = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, PRIVATE_FILE)
        try:
            os.write(fd, f"{owner}\n{self.mark()}\n".encode())
            os.fsync(fd)
        finally:
            os.close(fd)
        return fresh

    def mark(self) -> str:
        """Which directory this is, whatever its name: its device and inode."""
        info = self.path.stat()
        return f"{info.st_dev} {info.st_ino}"

    def lock(self) -> HomeLock | None:
        """Takes the lock that a conductor holds while it lives; None when another holds it.

        Never waits for a holder. A stale file does not count: only the lock does.
        """
        try:
            guard = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise HomeError(f"cannot open {self.path}: {error.strerror}") from error
        fd = -1
        try:
            fd = self._open_pid_file()
            if _take(guard) and _take(fd):
                return HomeLock(fd, guard)
        except BaseException:
            os.close(guard)
            if fd >= 0:
                os.close(fd)
            raise
        os.close(guard)
        os.close(fd)
        return None

    def hold(self) -> HomeLock | None:
        """Keeps every conductor out, and writes nothing: also where the disk fails. None when one
        runs."""
        try:
            guard = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise HomeError(f"cannot open {self.path}: {error.strerror}") from error
        if is_taken(self.pid_file) or not _take(guard):
            os.close(guard)
            return None
        return HomeLock(-1, guard)

    def running(self) -> bool:
        """Whether a conductor (or its heart) holds the lock, whatever its files look like."""
        return is_taken(self.pid_file) or is_taken(self.path)

    def name_holders(self, conductor: int, heart: int | None) -> HomeLock | None:
        """Makes the lock's file again for those who hold the lock; it is locked too. None where it
        cannot be made or is there."""
        try:
            fd = os.open(self.pid_file, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        except OSError:
            return None
        lock = HomeLock(fd)
        if not _take(fd) or not lock.write(conductor, heart):
            lock.release()
            return None
        return lock

    def holder(self) -> int | None:
        """The conductor's pid by the lock; None when nobody holds it.

        While a heart restarts its conductor this is the pid of the one that died. Raises
        HomeError in the instant between taking the lock and writing the pid.
        """
        if not self.running():
            return None
        pids = self._pids()
        if not pids:
            raise HomeError(f"a conductor is starting in {self.path}; try again in a moment")
        return pids[0]

    def dying(self) -> bool:
        """Whether everyone that the lock's file names is gone or at the end: it is soon free."""
        return all(map(ending, self._pids()))

    def stopping(self) -> bool:
        """Whether the holder has said that it stops, and that nobody replaces it."""
        return STOPPING in self._words()

    def heart(self) -> int | None:
        """The pid of the conductor's heart; None when none holds the lock, as one that died, whose
        number still stands in its file."""
        pids = self._pids() if self.running() else []
        places = identity(self.pid_file), identity(self.path)
        return pids[1] if len(pids) > 1 and holds(pids[1], *places) else None

    def _pids(self) -> list[int]:
        # Never 0 or negative: as targets of a signal these are whole groups of processes. Nor one
        # of more than seven digits: the kernel has none above 2**22.
        words = [word for word in self._words() if word.isascii() and word.isdigit()]
        numbers = [int(word) for word in words if len(word) <= 7]
        return [number for number in numbers if 1 < number <= 1 << 22] or self._holders()

    def _holders(self) -> list[int]:
        """Who holds the lock, where its file is gone or could not be written: as it would say.

        Nobody while there is no conductor yet: whoever starts one holds the lock before it does.
        """
        conductors, hearts = [], []
        for pid in holders(identity(self.path), identity(self.pid_file)):
            words = command_line(pid)
            if b"--" in words:
                hearts.append(pid)
            elif b"marianne.daemon" in words or b"--heart-pid" in words:
                conductors.append(pid)
        return conductors[-1:] + hearts[-1:] if conductors else []

    def _words(self) -> list[str]:
        try:
            return self.pid_file.read_text().split()
        except OSError:
            return []

    def _open_pid_file(self) -> int:
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        try:
            fd = os.open(self.pid_file, flags, PRIVATE_FILE)
        except OSError as error:
            raise HomeError(f"cannot open {self.pid_file}: {error.strerror}") from error
        owner = os.fstat(fd).st_uid
        if owner != os.geteuid():
            os.close(fd)
            raise HomeError(f"{self.pid_file} belongs to user {owner}, not to you")
        return fd

    def _read_owner(self) -> tuple[str, str]:
        """The marker and the place it was made for ("" in a file of an earlier version)."""
        lines = self.owner_file.read_text(encoding="ascii", errors="replace").split("\n")
        text, place = lines[0].strip(), "".join(lines[1:2]).strip()
        if len(text) != 2 * OWNER_BYTES or not all(c in "0123456789abcdef" for c in text):
            raise HomeError(
                f"{self.owner_file} does not hold {2 * OWNER_BYTES} hex digits; "
                "remove it when no conductor and no job of this home runs"
            )
        return text, place


def _take(fd: int) -> bool:
    """Takes the flock; False when another holds it, not only looks at it."""
    for look in range(_LOCK_LOOKS):
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            if look + 1 < _LOCK_LOOKS:
                time.sleep(_LOCK_PAUSE)
    return False


def is_taken(place: Path) -> bool:
    """Whether somebody holds the lock on a file or directory."""
    try:
        fd = os.open(place, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return False
    try:
        # Shared, so that two looks never see each other.
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(fd)
    return False


def config_places(home: Home) -> tuple[Path, Path]:
    """Where a configuration file is looked for: in the home, then for the user."""
    # What platformdirs says for Linux, without its import: every start comes through here.
    base = os.environ.get("XDG_CONFIG_HOME", "")
    user = base if os.path.isabs(base) else os.path.expanduser("~/.config")
    return home.config_file, Path(user, "marianne", "conductor.yaml")


def _place(given: str | os.PathLike[str] | None, default: Path) -> Path:
    return default if given is None else Path(os.path.abspath(os.path.expanduser(given)))

"""A socket as a path in the file system: its address, and when it may be bound or trusted.

ZeroMQ silently replaces whatever lies at an ipc path and lets a second bind steal the path of a
living server. So the rules are kept here, before ZeroMQ sees the path. They close the door to other
users and to accidents; two servers of one user starting at the same moment are kept apart by the
caller's lock.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from typing import Final

from ipc.errors import EndpointError, EndpointInUse

TYPE_CHECKING = False  # without what typing costs each client
if TYPE_CHECKING:
    from typing import TypeAlias

    from ipc.network import NetworkEndpoint, Remote

    Place: TypeAlias = str | os.PathLike[str] | NetworkEndpoint
    Way: TypeAlias = str | os.PathLike[str] | Remote

# sun_path has 108 bytes with the final zero.
MAX_PATH_BYTES: Final = 107
_BIND_UMASK: Final = 0o077
_WRITABLE_BY_OTHERS: Final = 0o022


class Endpoint:
    """A place to listen at or to connect to.

    A path that is too long for a socket address is reached through an open descriptor of its
    directory (`/proc/self/fd/N/name`). That leaves nothing behind in a shared temporary directory,
    as a short alias there would, and has no name for others to guess. The socket itself is created
    at the true path in either case, so both sides find each other whatever way they go.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        # Strings and os.path: pathlib would be a fifth of what a client pays to import.
        self.path: str = os.path.abspath(os.fspath(path))
        self.directory, self.name = os.path.split(self.path)
        self._directory_fd: int | None = None
        self._bound: tuple[int, int] | None = None

    def arm(self, context: object, socket: object) -> None:
        """Nothing: who may connect is what the file's mode says."""

    def close(self) -> None:
        """Gives the directory's descriptor back. Only once no socket uses the address any more."""
        if self._directory_fd is not None:
            os.close(self._directory_fd)
            self._directory_fd = None

    @property
    def address(self) -> str:
        """The ZeroMQ address; valid until `close`. The directory has to exist for a long path."""
        if len(os.fsencode(self.path)) <= MAX_PATH_BYTES:
            return f"ipc://{self.path}"
        if self._directory_fd is None:
            try:
                self._directory_fd = self._open_directory()
            except OSError as error:
                raise EndpointError(f"{self.directory}: {error.strerror}") from error
        return self._through(self._directory_fd)

    def checked_address(self) -> str:
        """The ZeroMQ address for who connects: through the directory that was checked.

        Whoever could rename a part of the path between a check and the connection would get what
        is sent; the open directory is the same whatever is put in its place. Raises EndpointError
        if the place, or the way to it, is in another user's hands. A directory that does not exist
        yet is in nobody's: then this is the plain address.
        """
        self._check_way()
        if self._directory_fd is None:
            try:
                self._directory_fd = self._open_directory()
            except FileNotFoundError:
                return self.address
            except OSError as error:
                raise EndpointError(f"{self.directory}: {error.strerror}") from error
        self._check_place(self._directory_fd)
        return self._through(self._directory_fd)

    def check_owner(self) -> None:
        """Raises EndpointError if the place, or the way to it, is in another user's hands.

        A place that does not exist yet is in nobody's.
        """
        self._check_way()
        try:
            directory = self._open_directory()
        except FileNotFoundError:
            return
        except OSError as error:
            raise EndpointError(f"{self.directory}: {error.strerror}") from error
        try:
            self._check_place(directory)
        finally:
            os.close(directory)

    def _check_way(self) -> None:
        trusted = (os.geteuid(), 0)
        for place in _from_the_root(self.path):
            try:
                found = os.lstat(place)
            except FileNotFoundError:
                return
            except OSError as error:
                raise EndpointError(f"{place}: {error.strerror}") from error
            if stat.S_ISLNK(found.st_mode) and found.st_uid not in trusted:
                raise EndpointError(
                    f"{place}: a symbolic link of another user (uid {found.st_uid})"
                )

    def _check_place(self, directory: int) -> None:
        """The directory at the end of all links, by its descriptor, and what lies in it."""
        own = os.geteuid()
        found = os.fstat(directory)
        if found.st_uid != own:
            raise EndpointError(f"{self.directory}: belongs to another user (uid {found.st_uid})")
        if found.st_mode & _WRITABLE_BY_OTHERS:
            raise EndpointError(
                f"{self.directory}: others can write here (mode {stat.S_IMODE(found.st_mode):o}) "
                "and could put a socket of theirs in our place; use a directory of its own, or "
                f"`chmod go-w {self.directory}`"
            )
        try:
            found = os.stat(self.name, dir_fd=directory, follow_symlinks=False)
        except FileNotFoundError:
            return
        if found.st_uid != own:
            raise EndpointError(f"{self.path}: belongs to another user (uid {found.st_uid})")

    def _open_directory(self) -> int:
        return os.open(self.directory, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)

    def _through(self, directory: int) -> str:
        short = f"/proc/self/fd/{directory}/{self.name}"
        if len(os.fsencode(short)) > MAX_PATH_BYTES:
            raise EndpointError(f"{self.name}: too long for the name of a socket")
        return f"ipc://{short}"

    def prepare(self) -> None:
        """Makes the place fit for `bind`.

        A directory that is missing is created, 0700; one that exists is never changed, for it may
        not be ours alone. Raises EndpointError where the place is foreign, where others can write,
        or where something lies that is no socket; EndpointInUse where somebody listens.
        """
        self.check_owner()
        _make_private(self.directory)
        self.check_owner()
        try:
            found = os.lstat(self.path)
        except FileNotFoundError:
            return
        if not stat.S_ISSOCK(found.st_mode):
            raise EndpointError(f"{self.path}: something else than a socket lies here")
        if self.is_listening():
            raise EndpointInUse(f"{self.path}: another server is listening here")

    def is_listening(self) -> bool:
        """Whether a connection is accepted at the path at this moment. Not a proof of health."""
        import socket

        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            probe.setblocking(False)
            try:
                probe.connect(self.address.removeprefix("ipc://"))
            except BlockingIOError:
                return True  # its queue of connections is full: busy, but there
            except OSError:
                return False
        return True

    def bind(self, bind: Callable[[str], object]) -> None:
        """Prepares the place, calls `bind(address)` and leaves a socket of mode 0600.

        The umask is the process's: for the moment of the call it is 077, which does no harm to
        files that other threads create meanwhile (0177, which would do alone, takes the x bit of
        their directories).
        """
        self.prepare()
        before = os.umask(_BIND_UMASK)
        try:
            bind(self.address)
        finally:
            os.umask(before)
        os.chmod(self.path, 0o600)
        self._bound = self._mark()

    def is_ours(self) -> bool:
        """Whether what `bind` made is still what lies at the path."""
        try:
            return self._bound is not None and self._mark() == self._bound
        except OSError:
            return False

    def remove(self) -> None:
        """Removes what `bind` made, after the socket is closed; a successor's stays. Closes."""
        try:
            if self._bound is not None and self._mark() == self._bound:
                os.unlink(self.path)
        except FileNotFoundError:
            pass
        self._bound = None
        self.close()

    def _mark(self) -> tuple[int, int]:
        """Tells this socket file from a successor's: inode numbers alone are used again."""
        found = os.lstat(self.path)
        return found.st_ino, found.st_ctime_ns


def place_of(path: Place) -> Endpoint | NetworkEndpoint:
    """Where a server listens."""
    return Endpoint(path) if isinstance(path, (str, os.PathLike)) else path


def way_to(path: Way) -> Endpoint | Remote:
    """Where a client connects."""
    return Endpoint(path) if isinstance(path, (str, os.PathLike)) else path


def _make_private(directory: str) -> None:
    """Makes what is missing of a path, each 0700 whatever the umask. Raises EndpointError."""
    for place in _from_the_root(directory):
        try:
            os.mkdir(place, 0o700)
        except FileExistsError:
            continue
        except OSError as error:
            if not os.path.isdir(place):  # one on the way that we may not write, but pass
                raise EndpointError(f"{place}: {error.strerror}") from error


def _from_the_root(path: str) -> Iterator[str]:
    """Every place on the way to an absolute path, the path itself last."""
    for index, char in enumerate(path):
        if char == "/" and index:
            yield path[:index]
    yield path

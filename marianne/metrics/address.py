"""Where figures are served: an address of this machine, or the path of a Unix socket."""

from __future__ import annotations

import os
import re
import socket
import stat
from contextlib import closing

from marianne.records import dataclass

LONGEST_PATH = 107
"""Bytes of a Unix socket's path: unix(7)."""

WAITING = 16
"""Connections that wait to be accepted."""

_TCP = re.compile(r"(?:\[(?P<six>[^\]]+)\]|(?P<four>[^:\[\]]+)):(?P<port>[0-9]{1,5})")


@dataclass(frozen=True, slots=True)
class Address:
    """``port`` None: ``host`` is the path of a Unix socket."""

    host: str
    port: int | None = None

    @property
    def is_local(self) -> bool:
        """Whether only this machine can reach it."""
        import ipaddress

        return self.port is None or ipaddress.ip_address(self.host).is_loopback

    def bind(self) -> socket.socket:
        """A socket that listens there; the file of a Unix socket is its owner's alone.

        OSError where it cannot be. A socket file that nobody listens on is replaced.
        """
        if self.port is None:
            return self._bind_path()
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        listener = socket.socket(family, socket.SOCK_STREAM)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((self.host, self.port))
            listener.listen(WAITING)
        except BaseException:
            listener.close()
            raise
        return listener

    def _bind_path(self) -> socket.socket:
        _clear(self.host)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            listener.bind(self.host)
            os.chmod(self.host, 0o600)
            listener.listen(WAITING)  # until now nobody can connect, whatever the umask
        except BaseException:
            listener.close()
            raise
        return listener

    def is_lost(self) -> bool:
        """Whether somebody has removed the file of a Unix socket that we have bound."""
        return self.port is None and not os.path.lexists(self.host)

    def unlink(self) -> None:
        """Removes the file of a Unix socket that we have bound."""
        if self.port is None:
            try:
                os.unlink(self.host)
            except FileNotFoundError:
                pass


def parse(text: str) -> Address:
    """What ``HOST:PORT``, ``[HOST]:PORT`` or an absolute path names; ValueError says what is wrong.

    HOST is a number or ``localhost``: no name is looked up.
    """
    import ipaddress  # late: most conductors have no use for it

    path = os.path.expanduser(text.removeprefix("unix:"))
    if os.path.isabs(path):
        if len(os.fsencode(path)) > LONGEST_PATH:
            raise ValueError(f"the path of a socket has {LONGEST_PATH} bytes at most")
        return Address(path)
    found = _TCP.fullmatch(text)
    if found is None:
        raise ValueError("must be HOST:PORT, such as 127.0.0.1:9464, or an absolute path")
    host, port = found["six"] or found["four"], int(found["port"])
    host = "127.0.0.1" if host == "localhost" else host
    try:
        host = str(ipaddress.ip_address(host))
    except ValueError:
        raise ValueError(f"{host!r} is no address; names are not looked up") from None
    if not 0 < port < 65_536:
        raise ValueError(f"{port} is no port: 1 to 65535")
    return Address(host, port)


def _clear(path: str) -> None:
    """Removes a socket on which nobody listens; another file stays, and is in the way."""
    try:
        if not stat.S_ISSOCK(os.lstat(path).st_mode):
            return
    except FileNotFoundError:
        return
    with closing(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)) as probe:
        probe.setblocking(False)
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            os.unlink(path)
        except OSError:
            pass  # somebody is there, and busy

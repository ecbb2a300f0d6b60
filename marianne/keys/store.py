"""Keys of a conductor that other machines reach: its own, and those of its clients.

In ``keys/`` of the home: ``server.key`` (the conductor's secret) and ``NAME.pub`` for each client
(what it is known by). A client has a file of its own, made once and kept by nobody here: where the
conductor is, its public key, the client's secret. All are 0600.
"""

from __future__ import annotations

import json
import os
import re
import stat
from pathlib import Path
from typing import Any

from ipc import curve
from ipc.network import NetworkEndpoint, Remote
from marianne.keys.address import for_events
from marianne.private import make_private

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}")
MOST_BYTES = 4_096


class KeysError(Exception):
    """A key cannot be made, read or used; says which, why and what to do."""


class Keys:
    """Those of one home."""

    def __init__(self, home: Path) -> None:
        self.directory = home / "keys"
        self._server = self.directory / "server.key"

    def clients(self) -> dict[str, bytes]:
        """The public keys of the clients by their names."""
        found = {}
        for path in sorted(self.directory.glob("*.pub")):
            key = _key(path)
            if key is not None:
                found[path.stem] = key
        return found

    def missing(self) -> str | None:
        """Why nobody could be served by these keys; None: somebody can."""
        if _key(self._server) is not None and self.clients():
            return None
        return f"there are no keys in {self.directory}: make one with: marianne keys make NAME"

    def mark(self) -> tuple[Any, ...]:
        """Changes when keys were made or revoked."""
        return tuple(self.clients().items())

    def endpoint(self, address: str) -> NetworkEndpoint:
        """A place to listen at for these clients alone. Raises KeysError without keys."""
        secret, known = _key(self._server), frozenset(self.clients().values())
        if secret is None or not known:
            raise KeysError(self.missing() or "there are no keys")
        return NetworkEndpoint(address, secret, known.__contains__)

    def make(self, name: str, address: str, file: Path) -> None:
        """Makes a client's key, and its ``file``. Raises KeysError.

        The file is whole before the key is known: a call that was cut short leaves nothing that
        lets anybody in, and can be made again under the same name.
        """
        if NAME.fullmatch(name) is None:
            raise KeysError(f"{name!r} is no name for a key: letters, digits, '-', '_' and '.'")
        place = self.directory / f"{name}.pub"
        if place.exists():
            raise KeysError(f"there is a key {name!r}: take another name, or revoke that one")
        make_private(self.directory)
        secret = curve.new_secret()
        told = {"address": address, "server": self._own().hex(), "secret": secret.hex()}
        try:
            _write(file, json.dumps({"marianne": 1, "name": name, **told}) + "\n")
        except FileExistsError:
            raise KeysError(f"{file} exists: it is not overwritten") from None
        _write(place, curve.public_of(secret).hex() + "\n")

    def revoke(self, name: str) -> bool:
        """Nobody gets in by this key any more; whether there was one."""
        if NAME.fullmatch(name) is None:
            return False
        try:
            (self.directory / f"{name}.pub").unlink()
        except FileNotFoundError:
            return False
        return True

    def _own(self) -> bytes:
        """The conductor's public key; its secret is made with the first."""
        if _key(self._server) is None:
            if self._server.exists():
                raise KeysError(f"{self._server} holds no key: remove it, then make all keys anew")
            _write(self._server, curve.new_secret().hex() + "\n")
        secret = _key(self._server)
        assert secret is not None
        return curve.public_of(secret)


def remotes(file: str) -> tuple[Remote, Remote]:
    """Where a client's key file says that requests are taken, and events told. Raises KeysError."""
    try:
        with open(file, "rb") as opened:
            mode = stat.S_IMODE(os.fstat(opened.fileno()).st_mode)
            told = json.loads(opened.read(MOST_BYTES))
        address, server, secret = (told[name] for name in ("address", "server", "secret"))
        keys = bytes.fromhex(server), bytes.fromhex(secret)
        events = for_events(address)
    except OSError as error:
        raise KeysError(f"{file}: {error.strerror}") from None
    except (ValueError, KeyError, TypeError):
        raise KeysError(
            f"{file} is no key of a client: where the conductor is: marianne keys make NAME"
        ) from None
    if mode & 0o077:
        raise KeysError(f"{file} can be read by others ({mode:04o}): chmod 600 {file}")
    return Remote(address, *keys), Remote(events, *keys)


def _key(path: Path) -> bytes | None:
    try:
        key = bytes.fromhex(path.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None
    return key if len(key) == curve.KEY_BYTES else None


def _write(path: Path, text: str) -> None:
    """A new file, whole or not there. Raises FileExistsError."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        with open(os.open(fresh, flags, 0o600), "w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.link(fresh, path)  # not rename: what is there stays
    finally:
        fresh.unlink(missing_ok=True)

"""The pages as a conductor has them served: a process of its own, which ends with it.

The token is kept in the home, so that a page that is open goes on with the next conductor.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import socket
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from marianne.cli.session import Session
from marianne.private import PRIVATE_FILE
from marianne.web.access import LOCAL, Access
from marianne.web.server import TOKEN_BYTES, address_of, serve_at

ADDRESS = "web.address"
LONGEST = 4_096
SECONDS = 5.0


def serve_main(listener: socket.socket, home: str, write: bool, hosts: Sequence[str]) -> None:
    """The process: serves ``listener``, and notes the address in the home."""
    session = Session(home)
    place = session.home.path / ADDRESS
    token = token_of(read(place)) or secrets.token_urlsafe(TOKEN_BYTES)
    port = listener.getsockname()[1]
    note(place, address_of(f"127.0.0.1:{port}", token))
    access = Access(token, f"marianne_{port}", LOCAL | {name.lower() for name in hosts}, write)
    asyncio.run(serve_at(session, access, listener))


def served(home: Path) -> str | None:
    """The address in this home; None where nobody serves it."""
    address = read(home / ADDRESS)
    try:
        where = urlsplit(address)
        with socket.create_connection((where.hostname or "", where.port or 0), SECONDS):
            return address
    except (OSError, ValueError):
        return None


def read(place: Path) -> str:
    """The address that was noted; empty where none was."""
    try:
        fd = os.open(place, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError:
        return ""
    try:
        return os.read(fd, LONGEST).decode("ascii", "replace").strip()
    except OSError:  # no file, but something else of its name
        return ""
    finally:
        os.close(fd)


def token_of(address: str) -> str:
    """The token in it; empty where there is none."""
    return parse_qs(urlsplit(address).query).get("token", [""])[0]


def note(place: Path, address: str) -> None:
    """Writes the address, for its owner alone; whole or not at all."""
    new = place.with_name(f"{place.name}.new")
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
    fd = os.open(new, flags, PRIVATE_FILE)
    try:
        os.fchmod(fd, PRIVATE_FILE)
        os.write(fd, f"{address}\n".encode())
    finally:
        os.close(fd)
    os.replace(new, place)

"""The server: one listening socket, one event loop, until it is told to end."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import secrets
import socket
import stat
import sys
from collections.abc import Iterator, Sequence
from types import FrameType
from typing import Final
from urllib.parse import quote

import uvicorn

from marianne.cli.errors import CliError
from marianne.cli.render.out import say
from marianne.cli.session import Session
from marianne.client.conductor import Conductor
from marianne.web.access import LOCAL, Access
from marianne.web.app import App

ADDRESS: Final = "127.0.0.1"
BACKLOG: Final = 128
TOKEN_BYTES: Final = 32
GRACE_SECONDS: Final = 2


def serve(
    session: Session, port: int, place: str | None, write: bool, hosts: Sequence[str]
) -> None:
    """Prints the address and serves until SIGINT or SIGTERM. Raises CliError where it cannot."""
    token = secrets.token_urlsafe(TOKEN_BYTES)
    with _listening(port, place) as listener:
        where = "unix" if place is not None else str(listener.getsockname()[1])
        names = LOCAL | {name.lower() for name in hosts}
        access = Access(token, f"marianne_{where}", names, write)
        host = "localhost" if place is not None else f"{ADDRESS}:{where}"
        address = address_of(host, token)
        say(address if place is None else f"{place} ({address})")
        sys.stdout.flush()
        asyncio.run(serve_at(session, access, listener))


def address_of(host: str, token: str) -> str:
    """What a person opens."""
    return f"http://{host}/?token={quote(token)}"


@contextlib.contextmanager
def _listening(port: int, place: str | None) -> Iterator[socket.socket]:
    family = socket.AF_INET if place is None else socket.AF_UNIX
    with socket.socket(family) as listener:
        try:
            if place is None:
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                listener.bind((ADDRESS, port))
            else:
                _bind(listener, place)
        except OSError as error:
            where = f"{ADDRESS}:{port}" if place is None else place
            text = f"cannot serve at {where}: {error.strerror or error}"
            raise CliError("usage", text, "choose another with --port or --socket") from None
        listener.listen(BACKLOG)
        try:
            yield listener
        finally:
            if place is not None:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(place)


def _bind(listener: socket.socket, place: str) -> None:
    """Only its owner may connect. A socket that nobody serves any more is replaced."""
    with contextlib.suppress(FileNotFoundError):
        if stat.S_ISSOCK(os.lstat(place).st_mode):
            with socket.socket(socket.AF_UNIX) as other:
                if other.connect_ex(place):
                    os.unlink(place)
    before = os.umask(0o177)
    try:
        listener.bind(place)
    finally:
        os.umask(before)


async def serve_at(session: Session, access: Access, listener: socket.socket) -> None:
    """Serves a socket that listens, until SIGINT or SIGTERM."""
    app = App(Conductor(session), access)
    config = uvicorn.Config(
        app.gated,
        loop="asyncio",
        http="h11",
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    await _Server(config, app).serve([listener])


class _Server(uvicorn.Server):
    """Ends by a signal, which is how it is meant to end: at once, whatever pages are open."""

    def __init__(self, config: uvicorn.Config, app: App) -> None:
        super().__init__(config)
        self._app = app
        self._loop = asyncio.get_running_loop()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        # From here on requests are cut short, which is no fault to tell of.
        logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL + 1)
        self.force_exit = self.should_exit
        self.should_exit = True
        self._loop.call_soon_threadsafe(self._app.close_streams)

"""The pages' routes before a conductor of paper, asked as a browser asks them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from marianne.cli.session import Session
from marianne.client.conductor import Conductor
from marianne.home import Home
from marianne.web.access import Access
from marianne.web.app import App

TOKEN = "the-token"
COOKIE = "marianne_1"
HOST = "127.0.0.1:1"
OURS = {"host": HOST, "cookie": f"{COOKIE}={TOKEN}"}
"""What a browser sends that has opened the printed address."""

WRITES = {**OURS, "origin": f"http://{HOST}", "sec-fetch-site": "same-origin"}


@dataclass
class Told:
    """An answer."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def access(write: bool = True) -> Access:
    return Access(TOKEN, COOKIE, write=write)


async def ask(
    app: App,
    path: str,
    method: str = "GET",
    headers: dict[str, str] | None = None,
    body: bytes = b"{}",
) -> Told:
    """One request, through the gate."""
    path, _, query = path.partition("?")
    given = OURS if headers is None else headers
    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "scheme": "http",
        "query_string": query.encode(),
        "headers": [(k.encode("latin-1"), v.encode("latin-1")) for k, v in given.items()],
    }
    told = Told(0, {}, b"")

    came = iter([True])

    async def receive() -> Any:
        if not next(came, False):
            await asyncio.Event().wait()  # who asks stays until all is answered
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            told.status = message["status"]
            told.headers = {k.decode(): v.decode("latin-1") for k, v in message["headers"]}
        else:
            told.body += message.get("body", b"")

    await app.gated(scope, receive, send)
    return told


def asked(
    home: Home, play: Callable[[App], Coroutine[Any, Any, Any]], *, write: bool = True
) -> Any:
    """What ``play`` returns of an app of its own."""

    async def run() -> Any:
        conductor = Conductor(Session.at(home))
        try:
            return await play(App(conductor, access(write)))
        finally:
            conductor.close()

    return asyncio.run(run())

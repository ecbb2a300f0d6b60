"""Who gets in, and what every answer says to the browser: one rule for all routes.

A page of another site may send requests to 127.0.0.1 with the person's own browser, by a name that
it lets point here (DNS rebinding) or by a form. So a request has to come to a name of this machine,
from a page of ours, with the cookie that only the printed address gives.
"""

from __future__ import annotations

import hmac
import json
from dataclasses import field
from http.cookies import CookieError, SimpleCookie
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from marianne.records import dataclass

Scope = Any
Receive = Any
Send = Any

READING: Final = frozenset({"GET", "HEAD"})
LOCAL: Final = frozenset({"127.0.0.1", "localhost", "[::1]"})
ENTRY: Final = "/"
"""Where the printed address leads; with the token in its query."""

HEADERS: Final = (
    (
        b"content-security-policy",
        b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
        b"connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
)

WELCOME: Final = b"""<!doctype html><html lang="en"><meta charset="utf-8">
<meta http-equiv="refresh" content="0; url=/"><title>Marianne</title>
<p><a href="/">Go on</a></p></html>
"""
"""Not a redirect: a browser that came from elsewhere would follow it without the Strict cookie."""


@dataclass(frozen=True)
class Access:
    """``token`` is the secret of the printed address; ``cookie`` the name that it gets in a
    browser, which knows cookies by host and not by port. ``hosts`` are the names by which a request
    may come. Without ``write`` nothing can be changed."""

    token: str = field(repr=False)
    cookie: str
    hosts: frozenset[str] = LOCAL
    write: bool = False

    def refusal(self, method: str, path: str, query: str, headers: dict[str, str]) -> str | None:
        """Why the request is refused, in words; None where it may pass."""
        host = headers.get("host", "")
        if _name(host) not in self.hosts:
            return f"this server is not called {host!r}; --allow-host adds a name"
        if not _ours(method, host, headers):
            return "the request comes from a page of another place"
        if not (self.enters(path, query) or self._knows(headers.get("cookie", ""))):
            return "open the address that `marianne web` printed: it has a token in it"
        if method not in READING and not self.write:
            return "this page only looks; `marianne web --write` may act"
        return None

    def enters(self, path: str, query: str) -> bool:
        """Whether this is the printed address."""
        given = parse_qs(query).get("token", [])
        return path == ENTRY and len(given) == 1 and self._is_token(given[0])

    def set_cookie(self) -> bytes:
        """What the browser keeps."""
        return f"{self.cookie}={self.token}; Path=/; HttpOnly; SameSite=Strict".encode()

    def _knows(self, header: str) -> bool:
        try:
            morsel = SimpleCookie(header).get(self.cookie)
        except CookieError:
            return False
        return morsel is not None and self._is_token(morsel.value)

    def _is_token(self, given: str) -> bool:
        return hmac.compare_digest(given.encode(), self.token.encode())


def _name(host: str) -> str:
    """Without its port."""
    try:
        name = urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""
    return f"[{name}]" if ":" in name else name


def _ours(method: str, host: str, headers: dict[str, str]) -> bool:
    """Whether a page of this server sends it. What changes something has to say so itself."""
    origin = headers.get("origin")
    if origin is None:
        return method in READING
    site = headers.get("sec-fetch-site", "same-origin")
    return origin in (f"http://{host}", f"https://{host}") and site == "same-origin"


class Gate:
    """Before all routes, also those that do not exist."""

    def __init__(self, app: Any, access: Access) -> None:
        self._app = app
        self._access = access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":  # no route speaks anything else
            raise RuntimeError(f"{scope['type']} is not served")
        headers = {name.decode("latin-1"): v.decode("latin-1") for name, v in scope["headers"]}
        method, path = scope["method"], scope["path"]
        query = scope["query_string"].decode("latin-1")

        async def guarded(message: Any) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message["headers"], *HEADERS]}
            await send(message)

        why = self._access.refusal(method, path, query, headers)
        if why is not None:
            error = {"code": "forbidden", "message": why, "hint": None}
            body = json.dumps({"error": error}).encode()
            await _answer(guarded, 403, body, (b"content-type", b"application/json"))
        elif method in READING and self._access.enters(path, query):
            kind = (b"content-type", b"text/html; charset=utf-8")
            cookie = (b"set-cookie", self._access.set_cookie())
            await _answer(guarded, 200, WELCOME, kind, cookie)
        else:
            await self._app(scope, receive, guarded)


async def _answer(send: Send, status: int, body: bytes, *headers: tuple[bytes, bytes]) -> None:
    length = (b"content-length", str(len(body)).encode())
    start = [*headers, length, (b"cache-control", b"no-store")]
    await send({"type": "http.response.start", "status": status, "headers": start})
    await send({"type": "http.response.body", "body": body})

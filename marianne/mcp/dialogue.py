"""What each message is answered, by the revisions of the Model Context Protocol. Pure.

Up to revision 2025-11-25 a client begins with ``initialize``, and the revision agreed on holds for
the whole process. Since 2026-07-28 nothing is agreed on: every request names its revision in
``_meta``, and ``server/discover`` tells what there is. Both kinds are served, beside each other.
Source: modelcontextprotocol.io/specification.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple, TypeAlias

from marianne.mcp.messages import (
    INVALID_PARAMS,
    METHOD_NOT_FOUND,
    UNSUPPORTED_VERSION,
    Id,
    Map,
    Message,
    Wrong,
)

MODERN: Final = "2026-07-28"
AGREED: Final = ("2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05")
"""Revisions that ``initialize`` agrees on, the newest first."""
BATCHES: Final = "2025-03-26"
"""The only revision in which one line may hold several messages."""

VERSION: Final = "io.modelcontextprotocol/protocolVersion"
ABILITIES: Final = "io.modelcontextprotocol/clientCapabilities"
SERVER: Final = "io.modelcontextprotocol/serverInfo"

FRESH_MS: Final = 3_600_000
"""How long a client may keep the list of tools: it does not change while we run."""

Finish: TypeAlias = Callable[[Map], Map]


class ToCall(NamedTuple):
    """A tool that is to be called; ``finish`` makes the result of what it returns."""

    name: str
    arguments: Map
    finish: Finish


class Dialogue:
    """Knows which revision was agreed on, if any; nothing else is kept between messages."""

    def __init__(self, info: Map, instructions: str, tools: Sequence[Map]) -> None:
        self._info = info
        self._instructions = instructions
        self._tools = list(tools)
        self.agreed: str | None = None

    @property
    def takes_batches(self) -> bool:
        """Whether a line may hold several messages."""
        return self.agreed == BATCHES

    def answer(self, message: Message) -> Map | ToCall:
        """The result of a request, or the tool that has it. Raises Wrong."""
        finish = self._finishing(message)
        match message.method:
            case "initialize":
                return self._initialize(message.params)
            case "ping" if finish is _as_it_is:
                return {}
            case "server/discover" if finish is not _as_it_is:
                told: Map = {"supportedVersions": [MODERN, *AGREED], "capabilities": {"tools": {}}}
                told["instructions"] = self._instructions
                return finish({**told, **_FRESH})
            case "tools/list":
                if message.params.get("cursor") is not None:
                    raise Wrong(INVALID_PARAMS, "the tools are one page: there is no cursor")
                tools: Map = {"tools": self._tools}
                return tools if finish is _as_it_is else finish({**tools, **_FRESH})
            case "tools/call":
                return _call(message.params, finish)
        raise Wrong(METHOD_NOT_FOUND, f"there is no method {message.method!r} here")

    def _initialize(self, params: Map) -> Map:
        asked = params.get("protocolVersion")
        if not isinstance(asked, str):
            raise Wrong(INVALID_PARAMS, "initialize names a protocolVersion, such as 2025-11-25")
        self.agreed = asked if asked in AGREED else AGREED[0]
        return {
            "protocolVersion": self.agreed,
            "capabilities": {"tools": {}},
            "serverInfo": self._info,
            "instructions": self._instructions,
        }

    def _finishing(self, message: Message) -> Finish:
        """How results look in the revision of this request. Raises Wrong where it has none."""
        if message.method == "initialize":
            return _as_it_is
        meta = message.params.get("_meta")
        meta = meta if isinstance(meta, dict) else {}
        version = meta.get(VERSION)
        if version is None or version == self.agreed:
            if self.agreed is None and message.method != "ping":
                text = f"begin with initialize, or name the revision in _meta: {VERSION!r}"
                raise Wrong(INVALID_PARAMS, text)
            return _as_it_is
        if version != MODERN:
            told = {"supported": [MODERN, *AGREED], "requested": version}
            raise Wrong(UNSUPPORTED_VERSION, f"revision {version!r} is not served here", told)
        if not isinstance(meta.get(ABILITIES), dict):
            raise Wrong(INVALID_PARAMS, f"_meta lacks {ABILITIES!r}, an object")
        return self._complete

    def _complete(self, value: Map) -> Map:
        return {**value, "resultType": "complete", "_meta": {SERVER: self._info}}


_FRESH: Final = {"ttlMs": FRESH_MS, "cacheScope": "private"}


def _as_it_is(value: Map) -> Map:
    return value


def cancelled(message: Message) -> Id | None:
    """The request whose answer nobody wants any more, where a notification says so."""
    if message.method != "notifications/cancelled":
        return None
    which: Any = message.params.get("requestId")
    known = isinstance(which, str | int) and not isinstance(which, bool)
    return which if known else None


def _call(params: Map, finish: Finish) -> ToCall:
    name, arguments = params.get("name"), params.get("arguments")
    if not isinstance(name, str):
        raise Wrong(INVALID_PARAMS, "tools/call has the name of a tool")
    if not isinstance(arguments, dict | None):
        raise Wrong(INVALID_PARAMS, f"the arguments of {name} are not a JSON object")
    return ToCall(name, arguments or {}, finish)

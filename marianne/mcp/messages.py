"""JSON-RPC 2.0 messages, one a line, as the Model Context Protocol writes them. Pure."""

from __future__ import annotations

import json
from typing import Any, Final, NamedTuple, TypeAlias

PARSE_ERROR: Final = -32700
INVALID_REQUEST: Final = -32600
METHOD_NOT_FOUND: Final = -32601
INVALID_PARAMS: Final = -32602
UNSUPPORTED_VERSION: Final = -32022
"""The protocol's own, since its revision 2026-07-28."""

Map: TypeAlias = dict[str, Any]
Id: TypeAlias = str | int


class Wrong(Exception):  # noqa: N818 - reads as what it is
    """A message that gets an error for its answer. ``id`` is None where none can be read."""

    def __init__(self, code: int, message: str, data: Any = None, id: Id | None = None) -> None:  # noqa: A002 - the field's name
        super().__init__(message)
        self.code = code
        self.message = message
        self.data = data
        self.id = id

    def answer(self, to: Id | None = None) -> Map:
        """The error as it is sent; ``to`` is the request's id, where it is known by now."""
        error: Map = {"code": self.code, "message": self.message}
        if self.data is not None:
            error["data"] = self.data
        return {"jsonrpc": "2.0", "id": self.id if to is None else to, "error": error}


class Message(NamedTuple):
    """A request, or a notification: that one has no ``id`` and gets no answer."""

    id: Id | None
    method: str
    params: Map


def result(id: Id | None, value: Map) -> Map:  # noqa: A002 - the field's name
    """The answer to a request."""
    return {"jsonrpc": "2.0", "id": id, "result": value}


def parse(line: bytes) -> Any:
    """The JSON value of a line. Raises Wrong."""
    try:
        return json.loads(line.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise Wrong(PARSE_ERROR, f"this line is not a JSON message: {error}") from None


def read(value: Any) -> Message | None:
    """The message that a JSON value is; None: an answer to what nobody asked. Raises Wrong."""
    if not isinstance(value, dict):
        raise Wrong(INVALID_REQUEST, "a message is a JSON object")
    if "method" not in value and ("result" in value or "error" in value):
        return None
    given = value.get("id")
    id_ = given if isinstance(given, str | int) and not isinstance(given, bool) else None
    if "id" in value and id_ is None:
        raise Wrong(INVALID_REQUEST, "the id of a request is a string or an integer")
    if value.get("jsonrpc") != "2.0":
        raise Wrong(INVALID_REQUEST, 'a message has "jsonrpc": "2.0"', id=id_)
    method, params = value.get("method"), value.get("params", {})
    if not isinstance(method, str):
        raise Wrong(INVALID_REQUEST, "the method of a message is a string", id=id_)
    if not isinstance(params, dict):
        raise Wrong(INVALID_PARAMS, f"the params of {method} are not a JSON object", id=id_)
    return Message(id_, method, params)

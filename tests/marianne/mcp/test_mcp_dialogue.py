"""Every message is answered as its revision of the Model Context Protocol says."""

from __future__ import annotations

from typing import Any

import pytest

from marianne.mcp import messages
from marianne.mcp.dialogue import (
    ABILITIES,
    AGREED,
    MODERN,
    SERVER,
    VERSION,
    Dialogue,
    ToCall,
    cancelled,
)
from marianne.mcp.messages import Message, Wrong, parse, read

INFO = {"name": "marianne", "version": "1"}
TOOLS = [{"name": "look"}]


@pytest.fixture
def dialogue() -> Dialogue:
    return Dialogue(INFO, "how to", TOOLS)


def _modern(version: str = MODERN, **params: Any) -> dict[str, Any]:
    return {**params, "_meta": {VERSION: version, ABILITIES: {}}}


def _agree(dialogue: Dialogue, version: str) -> dict[str, Any]:
    params = {"protocolVersion": version, "capabilities": {}, "clientInfo": INFO}
    answer = dialogue.answer(Message(1, "initialize", params))
    assert isinstance(answer, dict)
    return answer


@pytest.mark.parametrize("version", AGREED)
def test_a_revision_that_begins_with_initialize_is_agreed_on(
    dialogue: Dialogue, version: str
) -> None:
    told = _agree(dialogue, version)
    assert told["protocolVersion"] == version
    assert told["serverInfo"] == INFO
    assert told["instructions"] == "how to"
    assert "tools" in told["capabilities"]
    assert dialogue.answer(Message(2, "tools/list", {})) == {"tools": TOOLS}
    assert dialogue.answer(Message(3, "ping", {})) == {}
    assert dialogue.takes_batches is (version == "2025-03-26")


@pytest.mark.parametrize("version", ["1999-01-01", MODERN, "x"])
def test_of_any_other_the_newest_that_we_know_is_offered(dialogue: Dialogue, version: str) -> None:
    assert _agree(dialogue, version)["protocolVersion"] == "2025-11-25"


def test_a_request_that_names_its_revision_needs_no_beginning(dialogue: Dialogue) -> None:
    told = dialogue.answer(Message(1, "tools/list", _modern()))
    assert isinstance(told, dict)
    assert told["tools"] == TOOLS
    assert (told["resultType"], told["cacheScope"]) == ("complete", "private")
    assert told["ttlMs"] > 0
    assert told["_meta"] == {SERVER: INFO}


def test_discover_tells_every_revision(dialogue: Dialogue) -> None:
    told = dialogue.answer(Message(1, "server/discover", _modern()))
    assert isinstance(told, dict)
    assert told["supportedVersions"] == [MODERN, *AGREED]
    assert told["capabilities"] == {"tools": {}}
    assert told["resultType"] == "complete"


def test_both_kinds_are_served_beside_each_other(dialogue: Dialogue) -> None:
    _agree(dialogue, "2025-06-18")
    old, new = Message(1, "tools/list", {}), Message(2, "tools/list", _modern())
    assert dialogue.answer(old) == {"tools": TOOLS}
    assert "resultType" in dialogue.answer(new)
    assert dialogue.answer(old) == {"tools": TOOLS}


@pytest.mark.parametrize(
    ("method", "params", "code"),
    [
        ("tools/list", {}, messages.INVALID_PARAMS),  # neither begun nor with a revision
        ("tools/list", {"_meta": {VERSION: MODERN}}, messages.INVALID_PARAMS),
        ("tools/list", _modern(cursor="2"), messages.INVALID_PARAMS),
        ("tools/list", _modern("2031-01-01"), messages.UNSUPPORTED_VERSION),
        ("tools/list", _modern("2025-11-25"), messages.UNSUPPORTED_VERSION),
        ("ping", _modern(), messages.METHOD_NOT_FOUND),  # it is gone from that revision
        ("resources/list", _modern(), messages.METHOD_NOT_FOUND),
        ("subscriptions/listen", _modern(), messages.METHOD_NOT_FOUND),
        ("initialize", {}, messages.INVALID_PARAMS),
        ("tools/call", _modern(), messages.INVALID_PARAMS),
        ("tools/call", _modern(name="look", arguments=[]), messages.INVALID_PARAMS),
    ],
)
def test_what_cannot_be_answered_is_an_error_with_the_code_of_the_protocol(
    dialogue: Dialogue, method: str, params: dict[str, Any], code: int
) -> None:
    with pytest.raises(Wrong) as caught:
        dialogue.answer(Message(7, method, params))
    assert caught.value.code == code


def test_a_revision_that_is_not_served_names_those_that_are(dialogue: Dialogue) -> None:
    with pytest.raises(Wrong) as caught:
        dialogue.answer(Message(7, "tools/list", _modern("2031-01-01")))
    assert caught.value.answer(7) == {
        "jsonrpc": "2.0",
        "id": 7,
        "error": {
            "code": -32022,
            "message": "revision '2031-01-01' is not served here",
            "data": {"supported": [MODERN, *AGREED], "requested": "2031-01-01"},
        },
    }


def test_a_call_names_a_tool_and_its_arguments(dialogue: Dialogue) -> None:
    call = dialogue.answer(Message(1, "tools/call", _modern(name="look", arguments={"a": 1})))
    assert isinstance(call, ToCall)
    assert (call.name, call.arguments) == ("look", {"a": 1})
    assert call.finish({"content": []})["resultType"] == "complete"
    _agree(dialogue, "2025-06-18")
    call = dialogue.answer(Message(1, "tools/call", {"name": "look"}))
    assert isinstance(call, ToCall)
    assert call.finish({"content": []}) == {"content": []}


def test_a_cancellation_names_a_request_and_any_other_notification_nothing() -> None:
    def told(method: str, **params: Any) -> Any:
        return cancelled(Message(None, method, params))

    assert told("notifications/cancelled", requestId=4) == 4
    assert told("notifications/cancelled", requestId="a", reason="enough") == "a"
    assert told("notifications/cancelled", requestId=[1]) is None
    assert told("notifications/cancelled", requestId=True) is None
    assert told("notifications/cancelled") is None
    assert told("notifications/initialized", requestId=4) is None


@pytest.mark.parametrize("line", [b"{", b"\xff", b"[" * 100_000, b"nonsense"])
def test_a_line_that_is_no_json_is_a_parse_error(line: bytes) -> None:
    with pytest.raises(Wrong) as caught:
        parse(line)
    assert caught.value.answer()["error"]["code"] == messages.PARSE_ERROR
    assert caught.value.answer()["id"] is None


@pytest.mark.parametrize(
    ("value", "code", "id_"),
    [
        (3, messages.INVALID_REQUEST, None),
        ({}, messages.INVALID_REQUEST, None),
        ({"jsonrpc": "2.0", "id": None, "method": "ping"}, messages.INVALID_REQUEST, None),
        ({"jsonrpc": "2.0", "id": True, "method": "ping"}, messages.INVALID_REQUEST, None),
        ({"jsonrpc": "2.0", "id": 1.5, "method": "ping"}, messages.INVALID_REQUEST, None),
        ({"jsonrpc": "1.0", "id": 1, "method": "ping"}, messages.INVALID_REQUEST, 1),
        ({"jsonrpc": "2.0", "id": 1, "method": 2}, messages.INVALID_REQUEST, 1),
        ({"jsonrpc": "2.0", "id": 0, "method": "a", "params": []}, messages.INVALID_PARAMS, 0),
    ],
)
def test_what_is_no_message_is_an_error_under_its_id(value: Any, code: int, id_: Any) -> None:
    with pytest.raises(Wrong) as caught:
        read(value)
    answer = caught.value.answer()
    assert (answer["error"]["code"], answer["id"]) == (code, id_)


def test_requests_notifications_and_answers_are_told_apart() -> None:
    assert read({"jsonrpc": "2.0", "id": 1, "method": "a"}) == Message(1, "a", {})
    assert read({"jsonrpc": "2.0", "method": "a", "params": {"b": 1}}) == Message(
        None, "a", {"b": 1}
    )
    assert read({"jsonrpc": "2.0", "id": 1, "result": {}}) is None

"""Whatever a client sends, it gets an answer of the protocol, and the server serves the next."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from marianne.cli.errors import CliError
from marianne.cli.render.out import json_text
from marianne.mcp import changing, seeing
from marianne.mcp.arguments import check
from marianne.mcp.dialogue import ABILITIES, AGREED, MODERN, VERSION, Dialogue, ToCall, cancelled
from marianne.mcp.messages import Wrong, read, result

TOOLS = {tool.name: tool for tool in (*seeing.TOOLS, *changing.TOOLS)}
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9)
ANYTHING = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=9,
)
METHODS = st.sampled_from(
    ["initialize", "ping", "server/discover", "tools/list", "tools/call", "notifications/cancelled"]
)
META = st.fixed_dictionaries(
    {}, optional={VERSION: st.sampled_from([MODERN, *AGREED]) | ANYTHING, ABILITIES: ANYTHING}
)
PARAMS = st.fixed_dictionaries(
    {},
    optional={
        "_meta": META | ANYTHING,
        "name": st.sampled_from(list(TOOLS)) | ANYTHING,
        "arguments": ANYTHING,
        "cursor": ANYTHING,
        "protocolVersion": st.sampled_from([MODERN, *AGREED]) | ANYTHING,
        "requestId": ANYTHING,
    },
)
MESSAGES = st.fixed_dictionaries(
    {"jsonrpc": st.just("2.0") | ANYTHING, "method": METHODS | ANYTHING},
    optional={"id": ANYTHING, "params": PARAMS | ANYTHING},
)


@settings(max_examples=100, deadline=None)
@given(st.lists(MESSAGES | ANYTHING, max_size=5))
def test_any_message_is_answered_or_is_a_notification(values: list[Any]) -> None:
    dialogue = Dialogue({"name": "marianne", "version": "1"}, "", [])
    for value in values:
        try:
            message = read(value)
            if message is None or message.id is None:
                if message is not None:
                    cancelled(message)
                continue
            answer = dialogue.answer(message)
        except Wrong as wrong:
            told = wrong.answer()
        else:
            told = {} if isinstance(answer, ToCall) else result(message.id, answer)
        assert "\n" not in json_text(told)
        json.loads(json_text(told), parse_constant=pytest.fail)


@pytest.mark.parametrize("tool", TOOLS)
@settings(max_examples=20, deadline=None)
@given(st.dictionaries(st.text(max_size=9), ANYTHING, max_size=4), st.data())
def test_any_arguments_fit_or_are_refused_in_words(tool: str, found: Any, data: Any) -> None:
    schema = TOOLS[tool].schema
    known = st.sampled_from(list(schema["properties"]))
    arguments = {**found, **data.draw(st.dictionaries(known, ANYTHING, max_size=4))}
    with suppress(CliError):
        check(tool, schema, arguments)


@pytest.mark.parametrize("text", ["a\0b", "\ud800"])
def test_a_text_that_nobody_can_be_given_is_refused(text: str) -> None:
    for arguments in ({"job": text}, {"job": "a", "sheet": text}):
        with pytest.raises(CliError, match="no text can have"):
            check("output", TOOLS["output"].schema, arguments)
    with pytest.raises(CliError, match="no text can have"):
        check("run", TOOLS["run"].schema, {"variables": {text: "x"}})


INFINITE = (
    b'{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"_meta":'
    b'{"io.modelcontextprotocol/protocolVersion":1e999}}}\n'
)


@pytest.mark.parametrize("line", [INFINITE, b"NaN\n", b"-Infinity\n"])
def test_a_number_that_json_has_not_is_never_sent_back(agent, line: bytes) -> None:
    agent.say(line)
    assert agent.hear()["error"]["code"] in (-32600, -32022)
    agent.tell("ping", 2)
    assert agent.hear()["id"] == 2

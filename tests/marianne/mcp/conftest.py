"""An agent's end of the line, and a conductor of paper behind the server."""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from marianne.cli.session import Session
from marianne.home import Home
from marianne.mcp import changing, seeing
from marianne.mcp.calls import Calls
from marianne.mcp.dialogue import Dialogue
from marianne.mcp.server import Server

sys.path.insert(0, str(Path(__file__).parents[1] / "cli"))
from cli_fake import FakeConductor


class Agent:
    """A server in a thread; what is said to it, and what it answers."""

    def __init__(self, write: bool) -> None:
        looking = {tool.name: tool for tool in seeing.TOOLS}
        acting = {tool.name: tool for tool in changing.TOOLS}
        tools = looking | acting if write else looking
        calls = Calls(Session(), tools, {} if write else acting)
        dialogue = Dialogue(
            {"name": "marianne", "version": "1"}, "", [tool.to_map() for tool in tools.values()]
        )
        theirs, self.write = os.pipe()
        self.read, ours = os.pipe()
        self._answers = open(self.read, "rb")  # noqa: SIM115 - closed by leave()
        self._number = 0

        def serve() -> None:
            try:
                Server(theirs, ours, dialogue, calls).serve()
            except BrokenPipeError:
                self.broke = True
            os.close(theirs)
            os.close(ours)

        self.broke = False
        self.thread = threading.Thread(target=serve)
        self.thread.start()
        self._open = True

    def say(self, line: bytes) -> None:
        os.write(self.write, line)

    def tell(self, method: str, id_: Any = None, **params: Any) -> None:
        message = {"jsonrpc": "2.0", "method": method, "params": params}
        self.say(json.dumps(message if id_ is None else {**message, "id": id_}).encode() + b"\n")

    def hear(self) -> Any:
        """The next answer; None: the server has left."""
        line = self._answers.readline()
        return json.loads(line) if line else None

    def begin(self, version: str = "2025-11-25") -> None:
        self.tell("initialize", "begin", protocolVersion=version, capabilities={}, clientInfo={})
        assert self.hear()["result"]["protocolVersion"] == version
        self.tell("notifications/initialized")

    def ask(self, tool: str, **arguments: Any) -> Any:
        """The result of a call."""
        self._number += 1
        self.tell("tools/call", self._number, name=tool, arguments=arguments)
        answer = self.hear()
        assert answer["id"] == self._number
        return answer["result"]

    def see(self, tool: str, **arguments: Any) -> Any:
        """What a call that works returns; its text says the same."""
        result = self.ask(tool, **arguments)
        assert not result["isError"], result
        assert json.loads(result["content"][0]["text"]) == result["structuredContent"]
        return result["structuredContent"]

    def fail(self, tool: str, **arguments: Any) -> str:
        """The text of a call that does not work."""
        result = self.ask(tool, **arguments)
        assert result["isError"], result
        assert "structuredContent" not in result
        return str(result["content"][0]["text"])

    def end(self) -> None:
        """Ends the input."""
        if self._open:
            os.close(self.write)
            self._open = False

    def leave(self) -> None:
        self.end()
        self.thread.join(30)
        assert not self.thread.is_alive()
        self._answers.close()


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    place = Home(tmp_path / "home")
    place.prepare()
    monkeypatch.setenv("MARIANNE_HOME", str(place.path))
    monkeypatch.chdir(tmp_path)
    return place


@pytest.fixture
def conductor(home: Home) -> Iterator[FakeConductor]:
    with FakeConductor(home) as fake:
        yield fake


@pytest.fixture
def agent(home: Home) -> Iterator[Agent]:
    """One that may act, before it has said anything."""
    one = Agent(write=True)
    yield one
    one.leave()


@pytest.fixture
def onlooker(home: Home) -> Iterator[Agent]:
    """One that may only look, and has begun."""
    one = Agent(write=False)
    one.begin()
    yield one
    one.leave()

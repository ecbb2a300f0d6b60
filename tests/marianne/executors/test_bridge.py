"""A bridge tells which nodes can be given something, and extends no lease of one that is not up."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import pytest

from marianne.executors import bridge as module
from marianne.executors.bridge import Bridge, EngineError, Found
from marianne.executors.frames import Frames, framed
from marianne.version import VERSION


class Line:
    """The conductor's end: what it was told, and what it says."""

    def __init__(self) -> None:
        self.told: list[dict[str, Any]] = []
        self.says: list[dict[str, Any]] = []

    def fileno(self) -> int:
        return -1

    def send(self, message: dict[str, Any]) -> None:
        self.told.append(message)

    def drain(self) -> list[dict[str, Any]]:
        says, self.says = self.says, []
        return says

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [one for one in self.told if one["kind"] == kind]


class Node:
    """A warden's end of a channel."""

    def __init__(self, **hello: Any) -> None:
        self.sent: asyncio.Queue[bytes] = asyncio.Queue()
        self.heard: list[dict[str, Any]] = []
        self._frames = Frames()
        first = {"kind": "hello", "protocol": 1, "version": VERSION, "host": "h", "jobs": []}
        self.say(**{**first, "wall": time.time(), **hello})

    def say(self, **message: Any) -> None:
        self.sent.put_nowait(framed(message))

    def hang_up(self) -> None:
        self.sent.put_nowait(b"")

    async def read(self) -> bytes:
        return await self.sent.get()

    async def write(self, data: bytes) -> None:
        self.heard += self._frames.feed(data)

    async def close(self) -> None: ...


class Engine:
    """Whose nodes are the test's."""

    def __init__(self, *nodes: Node | str) -> None:
        self.nodes = list(nodes)
        self.asked: list[str] = []
        self.there = True
        self.found = Found("n1", "tcp://n1:1", 4)
        self.trouble: str | None = None
        self.says: dict[str, Any] | None = None

    async def look(self) -> list[Found]:
        found = [self.found] if self.there else []
        if self.trouble is not None:
            raise EngineError(self.trouble, found)
        return found

    def news(self) -> dict[str, Any] | None:
        return self.says

    async def connect(self, node: Found) -> Any:
        self.asked.append(node.address)
        if not self.nodes:
            await asyncio.Event().wait()
        found = self.nodes.pop(0)
        if isinstance(found, str):
            raise EngineError(found)
        return found


class Silent(Bridge):
    """Hears the conductor when the test says so."""

    def hear(self) -> None:
        self._from_conductor()


def play(
    engine: Engine,
    until: Callable[[Line], Any],
    meanwhile: Callable[[Silent, Line], None] = lambda bridge, line: None,
    lease: float = 60.0,
) -> Line:
    """Runs a bridge until the line has been told that."""
    line = Line()

    async def run() -> None:
        bridge = Silent(line, engine, lease)  # type: ignore[arg-type]
        asyncio.get_running_loop().add_reader = lambda *_: None  # type: ignore[assignment]
        task = asyncio.create_task(bridge.run())
        deadline = time.monotonic() + 30.0
        while not until(line):
            assert time.monotonic() < deadline, line.told
            meanwhile(bridge, line)
            await asyncio.sleep(0.01)
        task.cancel()

    asyncio.run(run())
    return line


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "AGAIN_SECONDS", 0.01)
    monkeypatch.setattr(module, "LOOK_SECONDS", 0.01)


def test_a_node_is_up_with_what_is_known_of_it() -> None:
    line = play(Engine(Node(jobs=["a"])), lambda line: line.of("up"))
    (up,) = line.of("up")
    assert (up["node"], up["hello"]["jobs"]) == ("n1", ["a"])
    assert up["facts"]["cpus"] == 4
    assert abs(up["facts"]["skew"]) < 60


def test_a_clock_that_goes_wrong_later_is_noticed_and_that_it_goes_right_again() -> None:
    node = Node()
    for at, off in enumerate((0.0, 3600.0, 3601.0, 0.0)):
        node.say(kind="beat", at=float(at), wall=time.time() - off)
    line = play(Engine(node), lambda line: len(line.of("unfit")) == 2)
    wrong, right = (one["why"] for one in line.of("unfit"))
    assert wrong.startswith("node n1: its clock is 3,600 s behind")
    assert right is None
    assert not line.of("down"), "what runs there goes on"


def test_messages_are_carried_both_ways_and_a_beat_is_answered_with_its_own_time() -> None:
    node = Node()
    node.say(kind="beat", at=17.5)
    node.say(kind="closed", job_id="a")

    def meanwhile(bridge: Silent, line: Line) -> None:
        if line.of("up") and {"kind": "check"} not in node.heard:
            line.says = [{"kind": "to", "node": "n1", "messages": [{"kind": "check"}]}]
            bridge.hear()

    line = play(Engine(node), lambda line: {"kind": "check"} in node.heard, meanwhile)
    assert {"kind": "renew", "at": 17.5} in node.heard
    (passed,) = line.of("from")
    assert passed["messages"] == [{"kind": "closed", "job_id": "a"}]


@pytest.mark.parametrize(
    ("hello", "says"),
    [
        ({"version": "0.0.1"}, "has Marianne 0.0.1"),
        ({"protocol": 99}, "install the same version"),
        ({"wall": time.time() + 3_600}, "s ahead of the conductor's; set it"),
        ({"wall": time.time() - 3_600}, "s behind the conductor's; set it"),
    ],
)
def test_a_node_that_does_not_fit_is_named_with_what_to_do_and_gets_no_lease(
    hello: dict[str, Any], says: str
) -> None:
    node = Node(**hello)
    node.say(kind="beat", at=1.0)
    line = play(Engine(node), lambda line: line.of("unfit"))
    assert says in line.of("unfit")[0]["why"]
    assert "node n1" in line.of("unfit")[0]["why"]
    assert not line.of("up")
    assert not node.heard


def test_a_node_that_cannot_be_reached_is_tried_again() -> None:
    line = play(Engine("no route", Node()), lambda line: line.of("up"))
    assert line.of("unfit")[0]["why"] == "no route"


def test_a_node_that_is_at_another_address_now_is_not_waited_for_at_the_old_one() -> None:
    engine = Engine()  # nobody answers there, for as long as an engine has patience

    def meanwhile(bridge: Silent, line: Line) -> None:
        if engine.asked == ["tcp://n1:1"]:
            engine.nodes, engine.found = [Node()], Found("n1", "tcp://n1:2", 4)

    line = play(engine, lambda line: line.of("up"), meanwhile)
    assert engine.asked == ["tcp://n1:1", "tcp://n1:2"]
    assert [one["kind"] for one in line.told if one["kind"] != "engine"] == ["hello", "up"]


def test_a_connection_that_ends_is_told_and_made_again() -> None:
    node = Node()
    node.hang_up()
    line = play(Engine(node, Node()), lambda line: len(line.of("up")) == 2)
    kinds = [one["kind"] for one in line.told if one["kind"] in ("up", "down")]
    assert kinds == ["up", "down", "up"]


def test_a_node_that_says_nothing_is_hung_up_on_before_its_lease_is_over() -> None:
    line = play(Engine(Node()), lambda line: line.of("down"), lease=0.4)
    assert "has said nothing for 0.2 s" in line.of("down")[0]["why"]


def test_a_node_that_the_engine_has_no_more_is_gone_once_it_is_not_connected() -> None:
    node = Node()
    engine = Engine(node)

    def meanwhile(bridge: Silent, line: Line) -> None:
        if line.of("up") and engine.there:
            engine.there = False
            node.hang_up()

    line = play(engine, lambda line: line.of("gone"), meanwhile)
    assert line.of("gone")[0]["node"] == "n1"


def test_what_an_engine_knows_beside_its_trouble_counts() -> None:
    engine = Engine(Node())
    engine.trouble, engine.says = "a pilot waits", {"queued": {"a-1.1": "why"}}
    line = play(engine, lambda line: line.of("up") and line.of("batch"))
    assert line.of("engine")[0]["why"] == "a pilot waits"
    assert line.of("batch")[0] == {"kind": "batch", "queued": {"a-1.1": "why"}}


def test_a_node_of_one_attempt_is_told_to_leave_when_nobody_wants_it_any_more() -> None:
    node = Node()
    engine = Engine(node)
    engine.found = Found("n1", "17", 1, batch="a-1.1")

    def meanwhile(bridge: Silent, line: Line) -> None:
        if line.of("up"):
            engine.found = Found("n1", "17", 1, why="its sheet has ended", batch="a-1.1")

    def left(line: Line) -> bool:
        return any(one["kind"] == "leave" for one in node.heard)

    line = play(engine, left, meanwhile)
    assert line.of("up")[0]["facts"]["batch"] == "a-1.1"
    assert line.of("unfit")[0]["why"] == "its sheet has ended"


def test_a_node_that_is_about_to_end_is_given_nothing_before_it_is_told_what_has_ended() -> None:
    node = Node()
    node.say(kind="leaving")
    node.say(kind="job", job_id="a", message={"kind": "results"})
    line = play(Engine(node), lambda line: line.of("from"))
    kinds = [one["kind"] for one in line.told if one["kind"] in ("up", "unfit", "from")]
    assert kinds == ["up", "unfit", "from"]


def test_a_node_that_is_gone_in_the_instant_of_its_hello_never_comes_up() -> None:
    """A wait that ends and is cancelled at once must not go on: on Python 3.11 `wait_for` does."""
    node = Node()
    hello = node.sent.get_nowait()

    class Leaves(Engine):
        async def look(self) -> list[Found]:
            if self.there and node.sent._getters:  # type: ignore[attr-defined] # it is waited for
                node.sent.put_nowait(hello)
                self.there = False
            return await super().look()

    def over(line: Line) -> bool:
        return bool(line.of("gone")) and [one["kind"] for one in line.told[-3:]] == ["engine"] * 3

    assert not play(Leaves(node), over).of("up")

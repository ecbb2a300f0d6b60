"""The bridge: a process that connects a conductor with the wardens of one cluster.

It carries messages both ways, renews leases, and decides nothing: what a node runs is what its
warden says. It ends with its conductor; another one finds the same wardens again. How nodes are
found and reached is its :class:`Engine`'s.

To the conductor (``kind``): ``up`` (a node is reached: its facts and its warden's ``hello``),
``from`` (``messages`` of a ``node``'s warden), ``down`` (it is not reached any more, ``why``),
``unfit`` (it can be given nothing, ``why``; None: it can again), ``gone`` (the engine has it no
more), ``engine`` (``why`` the engine is not reached; None: it is), ``batch`` (what an engine has to
say of batch jobs of single attempts). From it: ``to`` (``messages`` for a ``node``), ``need`` (how
many sheets are ``waiting`` for nothing but a slot; what those take that have one and are ``held``
back for want of a node: processors, MB of memory, gpus, labels, and how many; which nodes are
``busy`` and which ``resting``: unfit, and without anything to do; the attempts that are to have a
``batch`` job of their own, or are on the node of one, and which that have one are ``over``).

The bridge answers a beat only while its connection to that node is up: after ``down`` no lease of
the node is extended.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import field
from typing import TYPE_CHECKING, Any, Protocol

from ipc.dealer import Dealer
from ipc.errors import CodecError
from marianne.executors.frames import Frames, Message, framed
from marianne.records import dataclass
from marianne.version import VERSION

if TYPE_CHECKING:
    from marianne.executors.staging.carrier import Carrier, Staging

PROTOCOL = 1
"""Of the warden's messages: a warden of another one is not spoken to."""

LOOK_SECONDS = 1.0
"""Between two looks for nodes."""

AGAIN_SECONDS = 5.0
"""Until a node that could not be reached, or does not fit, is tried again."""

HELLO_SECONDS = 60.0
"""A warden that is started on a crowded machine may take long to listen."""

SILENT_SHARE = 0.5
"""Of the lease: a node that asks four times within its length and has not twice is connected to
anew, which has the other half, or less, to succeed. A step of Slurm's whose end was killed shows in
nothing else."""

MOST_SKEW = 30.0
"""Seconds that a node's clock may differ from ours: times of sheets are compared with files'."""


class EngineError(Exception):
    """The engine, or a node of it, cannot be used now; says which, why and what to do. ``found``
    are the nodes that are known nonetheless; None: nothing is known of them."""

    def __init__(self, why: str, found: list[Found] | None = None) -> None:
        super().__init__(why)
        self.found = found


@dataclass(frozen=True, slots=True)
class Found:
    """A node that an engine has. ``address`` is for people and for the engine itself; ``why`` it
    is to be given nothing more, whatever it runs. ``batch`` is the attempt whose batch job it is,
    by name: it runs nothing else, and ends itself when that is over; empty: any."""

    name: str
    address: str
    cpus: int
    memory_mb: int = 0
    gpus: int = 0
    labels: tuple[str, ...] = ()
    why: str | None = None
    batch: str = ""


class Channel(Protocol):
    """A stream of bytes to a node's warden."""

    async def write(self, data: bytes) -> None:
        """Sends it. Raises OSError when the node is gone."""

    async def read(self) -> bytes:
        """What came next; empty at the end. Raises OSError when the node is gone."""

    async def close(self) -> None:
        """Ends it."""


class Engine(Protocol):
    """How nodes of a cluster are found and reached."""

    async def look(self) -> list[Found]:
        """The nodes that there are now. Raises EngineError."""

    async def connect(self, node: Found) -> Channel:
        """A channel to the node's warden, which is started if need be. Raises EngineError."""

    def need(
        self,
        waiting: int,
        busy: Collection[str],
        resting: Collection[str],
        held: Collection[Sequence[Any]],
        batch: Collection[Mapping[str, Any]],
        over: Collection[str],
    ) -> None:
        """What the conductor has use for, each second. For engines that make nodes."""

    def news(self) -> Mapping[str, Any] | None:
        """What is to be told of batch jobs of single attempts; None where there are none."""


@dataclass
class _Link:
    """One node that is reached, or is being reached. ``off`` is what is wrong with its clock."""

    found: Found
    queue: asyncio.Queue[bytes] = field(default_factory=asyncio.Queue)
    up: bool = False
    off: str | None = None
    carrier: Carrier | None = None
    task: asyncio.Task[None] | None = None


class Bridge:
    """Serves until its process ends. ``lease`` is the length of the nodes' leases in seconds;
    ``staging``: where conductor and nodes share no directory."""

    def __init__(
        self, line: Dealer, engine: Engine, lease: float, staging: Staging | None = None
    ) -> None:
        self._line = line
        self._staging = staging
        self._engine = engine
        self._silence = lease * SILENT_SHARE
        self._links: dict[str, _Link] = {}

    async def run(self) -> None:
        """Looks for nodes and keeps each connected."""
        asyncio.get_running_loop().add_reader(self._line.fileno(), self._from_conductor)
        self._tell("hello")
        self._from_conductor()
        while True:
            found: list[Found] | None
            try:
                found = await self._engine.look()
            except EngineError as error:
                self._tell("engine", why=str(error))
                found = error.found
            else:
                self._tell("engine", why=None)
            if found is not None:
                self._settle({node.name: node for node in found})
            if (news := self._engine.news()) is not None:
                self._tell("batch", **news)
            await asyncio.sleep(LOOK_SECONDS)

    def _settle(self, found: dict[str, Found]) -> None:
        for name, node in found.items():
            link = self._links.get(name)
            if link is not None and not link.up and link.found.address != node.address:
                # Where it was before nobody may be: an engine tries for long to connect there.
                if link.task is not None:
                    link.task.cancel()
                link = None
            if link is None or (link.task is not None and link.task.done()):
                self._links[name] = link = _Link(node)
                link.task = asyncio.create_task(self._keep(link))
                continue
            before, link.found = link.found, node  # where it is another process the channel breaks
            if node.why != before.why and link.up:
                self._say_why(link)
        for name in [name for name in self._links if name not in found]:
            link = self._links[name]
            if not link.up:
                del self._links[name]
                if link.task is not None:
                    link.task.cancel()
                self._tell("gone", node=name)

    async def _keep(self, link: _Link) -> None:
        """Connects again whenever the connection ends, as long as the engine has the node."""
        name = link.found.name
        while self._links.get(name) is link:
            try:
                channel = await self._engine.connect(link.found)
            except EngineError as error:
                self._tell("unfit", node=name, why=str(error))
                await asyncio.sleep(AGAIN_SECONDS)
                continue
            why = "the connection ended"
            try:
                await self._serve(link, channel)
            except EngineError as error:
                why = str(error)
            except TimeoutError:
                why = f"it has said nothing for {self._silence:.3g} s"
            except (OSError, CodecError) as error:
                why = str(error) or type(error).__name__
            if link.up:
                link.up = False
                self._tell("down", node=name, why=why)
                await asyncio.sleep(0.05)
            else:
                self._tell("unfit", node=name, why=why)
                await asyncio.sleep(AGAIN_SECONDS)
            await channel.close()

    async def _serve(self, link: _Link, channel: Channel) -> None:
        link.queue = asyncio.Queue()
        writer = asyncio.create_task(_write(link.queue, channel))
        try:
            async for messages in self._messages(link, channel, writer):
                self._take(link, messages)
        finally:
            writer.cancel()
            if link.carrier is not None:
                link.carrier.close()
                link.carrier = None

    async def _messages(
        self, link: _Link, channel: Channel, writer: asyncio.Task[None]
    ) -> AsyncIterator[list[Message]]:
        frames = Frames()
        while not writer.done():
            patience = self._silence if link.up else HELLO_SECONDS
            # Not `wait_for`: that of Python 3.11 goes on when it is cancelled as the data come.
            async with asyncio.timeout(patience):
                data = await channel.read()
            if not data:
                return
            if messages := frames.feed(data):
                yield messages

    def _take(self, link: _Link, messages: list[Message]) -> None:
        forward = []
        for message in messages:
            if message["kind"] == "hello":
                _fits(link.found.name, message)
                link.up, link.off = True, None
                self._carry(link, message)
                self._tell(
                    "up", node=link.found.name, facts=_facts(link.found, message), hello=message
                )
                if link.found.why is not None:
                    self._say_why(link)
            elif message["kind"] == "leaving":
                self._tell("unfit", node=link.found.name, why="it is about to end")
            elif message["kind"] == "beat":
                link.queue.put_nowait(framed({"kind": "renew", "at": message["at"]}))
                self._look_at_clock(link, message)
            else:
                carrier = link.carrier
                inward = carrier.inward(message) if carrier is not None else message
                if inward is not None:
                    forward.append(inward)
        if forward:
            self._tell("from", node=link.found.name, messages=forward)

    def _carry(self, link: _Link, hello: Message) -> None:
        """From now on what goes to the node and comes from it passes through its carrier."""
        if self._staging is not None:
            from marianne.executors.staging.carrier import Carrier  # late: it reads plans

            queue, name = link.queue, link.found.name
            link.carrier = Carrier(
                self._staging,
                name,
                lambda message: queue.put_nowait(framed(message)),
                lambda message: self._tell("from", node=name, messages=[message]),
                hello["jobs"],
            )

    def _look_at_clock(self, link: _Link, beat: Message) -> None:
        """One that goes wrong later: what runs on the node goes on, it is given nothing more."""
        off = _off(f"node {link.found.name}", beat.get("wall", time.time()))
        if link.up and (off is None) is not (link.off is None):
            link.off = off
            self._tell("unfit", node=link.found.name, why=link.found.why or off)

    def _say_why(self, link: _Link) -> None:
        """To the conductor; a node that is for one attempt alone ends itself."""
        self._tell("unfit", node=link.found.name, why=link.found.why or link.off)
        if link.found.batch and link.found.why is not None:
            link.queue.put_nowait(framed({"kind": "leave"}))

    def _from_conductor(self) -> None:
        for message in self._line.drain():
            if message["kind"] == "need":
                names = ("waiting", "busy", "resting", "held", "batch", "over")
                self._engine.need(*(message[name] for name in names))
            if message["kind"] != "to":
                continue
            link = self._links.get(message["node"])
            if link is not None and link.up:
                for one in message["messages"]:
                    outward = link.carrier.outward(one) if link.carrier is not None else one
                    if outward is not None:
                        link.queue.put_nowait(framed(outward))

    def _tell(self, kind: str, **fields: Any) -> None:
        self._line.send({"kind": kind, **fields})


def staging_of(settings: Mapping[str, Any]) -> Staging | None:
    """What carries jobs' files where the executor has no shared directory; ``jobs`` is where the
    conductor has theirs."""
    if settings["shared_directory"] is not None:
        return None
    from marianne.executors.staging.carrier import Staging  # late: it reads plans

    return Staging(settings["jobs"])


async def _write(queue: asyncio.Queue[bytes], channel: Channel) -> None:
    """What came together goes together."""
    while True:
        data = [await queue.get()]
        while not queue.empty():
            data.append(queue.get_nowait())
        await channel.write(b"".join(data))


def _facts(found: Found, hello: Message) -> dict[str, Any]:
    return {
        "skew": round(hello["wall"] - time.time(), 2),
        "address": found.address,
        "cpus": found.cpus,
        "memory_mb": found.memory_mb,
        "gpus": found.gpus,
        "labels": list(found.labels),
        "batch": found.batch,
    }


def _fits(name: str, hello: Message) -> None:
    """Raises EngineError for a node that must be given nothing."""
    theirs, here = hello.get("version"), f"node {name} ({hello.get('host')})"
    if hello.get("protocol") != PROTOCOL or theirs != VERSION:
        raise EngineError(
            f"{here} has Marianne {theirs}, the conductor {VERSION}: install the same version there"
            f" (pip install 'marianne-conductor=={VERSION}') and start the node again"
        )
    if (off := _off(here, hello["wall"])) is not None:
        raise EngineError(off)


def _off(here: str, wall: float) -> str | None:
    """What is wrong with a node's clock that shows this time now; None: nothing."""
    skew = wall - time.time()
    if abs(skew) <= MOST_SKEW:
        return None
    way = "ahead of" if skew > 0 else "behind"
    return (
        f"{here}: its clock is {abs(skew):,.0f} s {way} the conductor's; set it (timedatectl"
        " set-ntp true, or chronyc makestep there): it is given nothing before"
    )

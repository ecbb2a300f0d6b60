"""Wardens as processes, each with a directory of its own, a bridge in a thread, and the conductor's
end of it, which is the test."""

from __future__ import annotations

import asyncio
import os
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

from warden_stage import SHELL, Node, until

from ipc import codec
from marianne.environment import packable
from marianne.executors.bridge import Bridge, EngineError, Found
from marianne.executors.staging.carrier import Staging
from marianne.model.plan import Plan, Prompt, SheetPlan
from marianne.score.pack import pack_plan

JOB = "a-job"


class Line:
    """The conductor's end of a bridge."""

    def __init__(self) -> None:
        self.told: list[dict[str, Any]] = []
        self._says: list[dict[str, Any]] = []
        self._read, self._write = os.pipe2(os.O_NONBLOCK)

    def fileno(self) -> int:
        return self._read

    def send(self, message: dict[str, Any]) -> None:
        self.told.append(message)

    def say(self, message: dict[str, Any]) -> None:
        """To the bridge."""
        self._says.append(message)
        os.write(self._write, b"x")

    def drain(self) -> list[dict[str, Any]]:
        try:
            os.read(self._read, 4096)
        except BlockingIOError:
            pass
        says, self._says = self._says, []
        return says


class Channel:
    """To a warden's socket."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def write(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    async def read(self) -> bytes:
        return await self._reader.read(256 * 1024)

    async def close(self) -> None:
        self._writer.close()
        with suppress(OSError):
            await self._writer.wait_closed()


class Engine:
    """The nodes of the test."""

    def __init__(self, nodes: dict[str, Path]) -> None:
        self.nodes = nodes
        self.channels: list[Channel] = []

    async def look(self) -> list[Found]:
        return [Found(name, name, 4) for name in self.nodes]

    async def connect(self, node: Found) -> Channel:
        place = str(self.nodes[node.name] / "warden.sock")
        try:
            self.channels.append(Channel(*await asyncio.open_unix_connection(place)))
            return self.channels[-1]
        except OSError as error:
            raise EngineError(str(error)) from error

    def need(self, *_: Any) -> None: ...

    def news(self) -> None: ...


class Cluster:
    """A bridge in a thread, wardens as processes, and the conductor's files of one job."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.jobs, self.ws = place / "jobs", place / "ws"
        self.home = self.jobs / JOB
        self.home.mkdir(parents=True)
        (self.home / "sheets").mkdir()
        self.ws.mkdir()
        self.nodes: dict[str, Node] = {}
        self.limit = 2**30
        self.results: dict[tuple[int, int], dict[str, Any]] = {}
        self.line = Line()
        self._loop: asyncio.AbstractEventLoop | None = None

    def start_node(self, name: str) -> Node:
        """A warden of its own."""
        node = self.nodes.get(name)
        if node is None:
            (self.place / "nodes").mkdir(exist_ok=True)
            node = self.nodes[name] = Node(self.place / "nodes" / name, name)
            node.workspace.rmdir()
        node.spawn()
        return node

    def start_bridge(self) -> None:
        """Another one: what the one before knew is gone."""
        self.line = Line()
        engine = Engine({name: node.folder for name, node in self.nodes.items()})
        ready = threading.Event()

        async def serve() -> None:
            self._loop = asyncio.get_running_loop()
            self._task = asyncio.current_task()
            ready.set()
            bridge = Bridge(self.line, engine, 60.0, Staging(str(self.jobs)))  # type: ignore[arg-type]
            try:
                await bridge.run()
            finally:
                rest = asyncio.all_tasks() - {asyncio.current_task()}
                for task in rest:
                    task.cancel()
                await asyncio.gather(*rest, return_exceptions=True)
                for channel in engine.channels:
                    await channel.close()

        def main() -> None:
            with suppress(asyncio.CancelledError):
                asyncio.run(serve())

        self._thread = threading.Thread(target=main, daemon=True)
        self._thread.start()
        ready.wait(60.0)
        until(lambda: len(self.of("up")) >= len(self.nodes))

    def stop_bridge(self) -> None:
        """As if it had died: its connections end, its threads are told nothing."""
        assert self._loop is not None
        assert self._task is not None
        self._loop.call_soon_threadsafe(self._task.cancel)
        self._thread.join(60.0)
        assert not self._thread.is_alive()

    def of(self, kind: str) -> list[dict[str, Any]]:
        """What the bridge has said of this kind."""
        return [one for one in list(self.line.told) if one["kind"] == kind]

    def heard(self, kind: str) -> list[dict[str, Any]]:
        """What wardens have said of this kind, by the bridge."""
        found = [one for message in self.of("from") for one in message["messages"]]
        return [one for one in found if one["kind"] == kind]

    def said(self, kind: str) -> list[dict[str, Any]]:
        """What workers of the job have said of this kind."""
        found = [one["message"] for one in self.heard("job")]
        return [one for one in found if one["kind"] == kind]

    def plan(self, *sheets: dict[str, Any]) -> None:
        """The job's sheets: a script each, and what they declare."""
        made = tuple(
            SheetPlan(num, f"s{num}", num, SHELL, Prompt(sheet.pop("run")), **sheet)
            for num, sheet in enumerate(sheets, 1)
        )
        (self.home / "plan").write_bytes(pack_plan(Plan("job", str(self.ws), made, len(made))))
        env = packable({"PATH": os.environ["PATH"]})
        (self.home / "env").write_bytes(codec.pack(env))

    def to(self, node: str, **message: Any) -> None:
        """A message for a warden."""
        self.line.say({"kind": "to", "node": node, "messages": [message]})

    def open(self, node: str) -> None:
        """The job has a worker there from now on."""
        settings = {
            "job_id": JOB,
            "job_dir": str(self.home),
            "spool": str(self.home / "nodes" / node / "spool"),
            "orphan_grace_seconds": 0.3,
            "sheet_grace_seconds": 0.5,
            "output_limit_bytes": 2**30,
            "staged": {"workspace": str(self.ws), "limit": self.limit},
        }
        self.to(node, kind="open", settings=settings)

    def run(self, node: str, num: int, attempt: int = 1, **more: Any) -> None:
        """Grants it."""
        grant = {"num": num, "attempt": attempt, **more}
        message = {"kind": "run", "slots": None, "sheets": [grant]}
        self.to(node, kind="job", job_id=JOB, message=message)

    def result(self, num: int, attempt: int = 1) -> dict[str, Any]:
        """How it ended; the conductor has it on disk then."""

        def found() -> dict[str, Any] | None:
            told = [one for message in self.said("results") for one in message["results"]]
            told += [one for message in self.said("hello") for one in message["unacked"]]
            return next((r for r in told if (r["num"], r["attempt"]) == (num, attempt)), None)

        return dict(until(found, 120.0))

    def left(self, node: str) -> dict[str, bytes]:
        """What a node has of the job; it may be removing some of it just now."""
        place, found = self.nodes[node].folder / "jobs", {}
        for folder, _, names in os.walk(place):
            for path in (Path(folder, name) for name in names):
                with suppress(FileNotFoundError):
                    found[str(path.relative_to(place))] = path.read_bytes()
        return found

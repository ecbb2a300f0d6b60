"""Run by a sheet: forges what it can on all sockets of its conductor, and says how much that was.

It knows what any process of this user can find out: the home, pids, the files, the public key.
"""

from __future__ import annotations

import itertools
import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgpack
import zmq

from ipc import curve
from marianne.model.result import AttemptResult

HOME = Path(os.environ["FORGED_HOME"])
VICTIM, ATTEMPT = os.environ["FORGED_JOB"], 1
SECONDS = 60


def result(**fields: Any) -> dict[str, Any]:
    """One that would be believed of the victim's worker."""
    now = time.time()
    whole = AttemptResult(1, ATTEMPT, "completed", now, now, serial=1, exit_code=0)
    return {**whole.to_map(), **fields}


def of_workers() -> Iterator[Any]:
    """What a worker would say, and what is said to one."""
    nothing: dict[str, Any] = {"running": [], "queued": [], "ended": []}
    yield {"kind": "hello", "unacked": [result()], "round": 0, **nothing}
    yield {"kind": "hello", "unacked": [], "round": 2**40, **nothing, "job_id": VICTIM}
    yield {"kind": "hello", "unacked": [], **nothing, "running": [[1, 2]], "ended": [[1, 1]]}
    yield {"kind": "hello"}
    for serial in (0, 1, 2, 7, 2**62, -1):
        yield {"kind": "results", "results": [result(serial=serial)], "started": []}
    for fields in ({"attempt": 2}, {"num": 2}, {"outcome": "failed"}, {"job_id": VICTIM}):
        yield {"kind": "results", "results": [result(**fields)], "started": []}
    yield {"kind": "results", "results": [], "started": [[1, 1, os.getpid(), time.time()]]}
    yield {"kind": "withdrawn", "sheets": [[1, 1]]}
    yield {"kind": "bye"}
    for kind in ("ack", "cancel", "stop", "run", "welcome", "report", "grow", "lease"):
        yield {"kind": kind, **orders(kind)}
    yield from (b"", b"\xc1", b"\x00" * 4096, [1], "hello", {"kind": 7}, {"kind": "progress"})


def orders(kind: str) -> dict[str, Any]:
    """What goes with an order to a worker."""
    run = {"slots": None, "sheets": [{"num": 1, "attempt": 2}]}
    welcome = {"pid": os.getpid(), "start_time": 1, "keeper": None}
    sheets = {"sheets": [1], "category": "cancelled", "grace": 0.0}
    return {
        "ack": {"serials": list(range(100))},
        "cancel": sheets,
        "run": run,
        "stop": {"grace": 0.0, "category": "cancelled"},
        "welcome": welcome,
    }.get(kind, {})


def names() -> list[bytes]:
    """By which a worker might be known."""
    worker = int(os.environ["FORGED_PID"])
    start = Path(f"/proc/{worker}/stat").read_text().rpartition(")")[2].split()[19]
    mark = os.environ["MARIANNE_OWNER"].encode()
    proof = os.environ["FORGED_PROOF"].encode()
    own = f"{os.getppid()}".encode()
    guessed = b"guarded-" + b"0" * 32
    return [f"{worker}-{start}".encode(), mark, b"guarded-" + mark, b"worker-" + mark, own, guessed,
            b"guarded-" + proof, VICTIM.encode()]  # fmt: skip


class Line:
    """One forger's connection. ``key`` is whom it asks for; None: no CURVE."""

    def __init__(self, place: str, kind: int, name: bytes = b"", key: bytes | None = None) -> None:
        self.context = zmq.Context()
        self.socket = self.context.socket(kind)
        if name:
            self.socket.setsockopt(zmq.ROUTING_ID, name)
        if key is not None:
            curve.ask_for(self.socket, key)
        self.monitor = self.socket.get_monitor_socket()
        self.socket.connect(f"ipc://{HOME / place}")

    def reached(self) -> bool:
        """Whether the other side has let us in: waits until it has, or has refused."""
        good = zmq.EVENT_HANDSHAKE_SUCCEEDED
        bad = (
            zmq.EVENT_HANDSHAKE_FAILED_AUTH
            | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL
            | zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL
            | zmq.EVENT_DISCONNECTED
        )
        while self.monitor.poll(SECONDS * 1000):
            event = int.from_bytes(self.monitor.recv_multipart()[0][:2], sys.byteorder)
            if event & (good | bad):
                return bool(event & good)
        return False

    def say(self, message: Any) -> None:
        self.socket.send(message if isinstance(message, bytes) else msgpack.packb(message))

    def close(self) -> None:
        self.socket.disable_monitor()
        self.monitor.close(0)
        self.socket.close(5_000)
        self.context.term()


def forge_workers(count: dict[str, int]) -> None:
    """On the workers' socket: under any name, with the true key, a wrong one and none."""
    true = bytes.fromhex((HOME / "workers.key").read_text())
    for name in names():
        line = Line("workers2.sock", zmq.DEALER, name, true)
        assert line.reached()
        for message in of_workers():
            line.say(message)
            count["workers"] += message != b""
        line.close()
    for key in (None, curve.public_of(curve.new_secret())):
        for name in names():
            line = Line("workers2.sock", zmq.DEALER, name, key)
            count["let in"] += line.reached()
            count["refused"] += 1
            line.close()


def of_clients() -> Iterator[Any]:
    """Requests that are none, that nobody may make, or that were made before."""
    yield from of_workers()
    for version in (0, 2, "1", None):
        yield {"v": version, "id": "x", "method": "job.cancel", "params": {"ids": [VICTIM]}}
    strange: list[Any] = [{"ids": [f"../{VICTIM}"]}, {"ids": VICTIM}, [VICTIM], {1: [VICTIM]}]
    strange += [{"ids": [VICTIM + "x"]}, {"job_id": VICTIM, "all": False}, {"ids": [VICTIM, 7]}]
    for params in strange:
        yield {"v": 1, "id": "y", "method": "job.cancel", "params": params}
    for method in ("job.result", "worker.hello", "results", "ack", "job.write", "Job.results",
                   "daemon.fault ", "__init__", "store.write", ""):  # fmt: skip
        yield {"v": 1, "id": "z", "method": method, "params": {"ids": [VICTIM], **result()}}
    for deadline in (0, -1, 2**60, "soon"):
        yield {"v": 1, "id": "d", "method": "job.pause", "params": {"ids": [VICTIM]},
               "deadline_ms": deadline}  # fmt: skip
    captured = Path(os.environ["FORGED_REPLAY"]).read_bytes()
    yield from itertools.repeat(captured, 10)


def forge_clients(count: dict[str, int]) -> None:
    """On the socket for clients; it has read all of it when it answers the last."""
    line = Line("conductor.sock", zmq.DEALER)
    assert line.reached()
    for message in of_clients():
        line.say(message)
        count["clients"] += 1
    line.say({"v": 1, "id": "last", "method": "hello", "params": {}})
    while msgpack.unpackb(line.socket.recv(), strict_map_key=False).get("id") != "last":
        pass
    line.close()


def forge_events(count: dict[str, int]) -> None:
    """On the socket of events: told to it as if it passed on what it hears."""
    event = {"seq": 10**9, "prev": 0, "ts": "2030-01-01T00:00:00.000000Z", "job_id": VICTIM}
    for kind in (zmq.XSUB, zmq.DEALER, zmq.PUB, zmq.SUB):
        line = Line("events.sock", kind)
        if line.reached():
            for name in ("job.completed", "job.failed", "sheet.completed", "job.cancelled"):
                topic = f"job.{VICTIM}.{name}".encode()
                body = msgpack.packb({**event, "event": name, "sheet_num": 1, "data": {}})
                for frames in ([topic, body], [b"\x01" + topic, body], [b"\x02" + body], [body]):
                    if kind != zmq.SUB:
                        line.socket.send_multipart(frames)
                    else:
                        line.socket.setsockopt(zmq.SUBSCRIBE, b"".join(frames)[:200])
                    count["events"] += 1
        line.close()


def main() -> None:
    count = {"workers": 0, "let in": 0, "refused": 0, "clients": 0, "events": 0}
    forge_workers(count)
    forge_clients(count)
    forge_events(count)
    report = Path("forged.json.new")
    report.write_text(json.dumps(count))
    report.replace("forged.json")


if __name__ == "__main__":
    main()

"""``marianne`` in processes that have imported everything already: a call costs a fork.

The tests call the program some thousand times, and most of such a call is Python's start and
imports. Here one process for each process of pytest imports them once. A call is a fork of it, with
the caller's arguments, environment, directory, umask, standard streams and exit code. What a fork
cannot show (the console script, closed streams, signals, the time of a start) is tested by those
who start the program by its path.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import json
import os
import pkgutil
import selectors
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

WARMED = ("marianne.cli", "marianne.score", "marianne.instruments", "ipc")
ALSO = (
    "ctypes",
    "encodings.ascii",
    "encodings.utf_8_sig",
    "marianne.daemon.boot.launch",
    "marianne.daemon.config.model",
    "marianne.daemon.processes.control_groups",
    "marianne.daemon.shared.log",
    "marianne.keys.address",
    "marianne.metrics.address",
    "marianne.run.heart_options",
    "marianne.run.keeper",
    "marianne.run.last_watch",
    "marianne.run.marked",
    "marianne.run.own_limits",
    "marianne.run.passed_key",
    "marianne.serving",
    "marianne.walls.cgroup_place",
    "marianne.walls.group_spawn",
    "multiprocessing",
)

ORDER_BYTES = 2**20
NUMBER = struct.Struct("i")
"""What comes back of a call: its pid, at its end its exit code (negative: the signal)."""

_lock = threading.Lock()
_orders: socket.socket | None = None


def call(
    argv: Sequence[str | Path],
    *,
    env: Mapping[str, str],
    cwd: Path | None = None,
    timeout: float,
    joined: bool = False,
) -> subprocess.CompletedProcess[str]:
    """As ``subprocess.run`` of the program, its output captured and its input /dev/null; with
    ``joined`` its errors come with its output, as on a terminal.

    Returns when it has ended and nobody holds its output open. Raises TimeoutExpired, and kills it,
    when that takes more than ``timeout`` seconds.
    """
    words = ["marianne", *map(str, argv)]
    os.umask(mask := os.umask(0))
    order = json.dumps([words, dict(env), str(cwd or Path.cwd()), mask]).encode()
    ours, theirs = socket.socketpair()
    (out, out_end), (err, err_end) = os.pipe(), os.pipe()
    with ours, open(out, "rb", 0) as out_file, open(err, "rb", 0) as err_file:
        with theirs, open(out_end, "wb", 0), open(err_end, "wb", 0), open(os.devnull, "rb") as none:
            errors = out_end if joined else err_end
            _send(order, [none.fileno(), out_end, errors, theirs.fileno()])
        ends = [out_file.fileno(), err_file.fileno(), ours.fileno()]
        told = _read_all(ends, time.monotonic() + timeout)
    numbers = [number for (number,) in NUMBER.iter_unpack(told[2])]
    if told[3]:
        if len(numbers) == 1:
            os.kill(numbers[0], signal.SIGKILL)
        raise subprocess.TimeoutExpired(words, timeout, told[0], told[1])
    assert len(numbers) == 2, "the warm program died"
    return subprocess.CompletedProcess(words, numbers[1], told[0].decode(), told[1].decode())


def _read_all(ends: list[int], deadline: float) -> tuple[bytes, bytes, bytes, bool]:
    """What comes from each until all are closed, and whether the time was up before."""
    found = {end: bytearray() for end in ends}
    with selectors.DefaultSelector() as selector:
        for end in ends:
            selector.register(end, selectors.EVENT_READ)
        while selector.get_map() and (left := deadline - time.monotonic()) > 0:
            for key, _ in selector.select(left):
                piece = os.read(key.fd, 2**16)
                found[key.fd] += piece
                if not piece:
                    selector.unregister(key.fd)
        late = bool(selector.get_map())
    out, err, numbers = map(bytes, found.values())
    return out, err, numbers, late


def _send(order: bytes, descriptors: list[int]) -> None:
    global _orders
    with _lock:
        for _ in range(2):
            if _orders is None:
                _orders = _begin()
            try:
                socket.send_fds(_orders, [order], descriptors)
                return
            except OSError:  # it was ended by whoever ends all children: another
                _orders.close()
                _orders = None
    raise AssertionError("the warm program does not start")


def _begin() -> socket.socket:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    for end in (ours, theirs):
        end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, ORDER_BYTES)
    with theirs:
        command = [sys.executable, __file__, str(theirs.fileno())]
        # Its parent ends at once, so that it is nobody's child: tests count theirs.
        subprocess.run(command, pass_fds=[theirs.fileno()], check=True, stdin=subprocess.DEVNULL)
    atexit.register(ours.close)
    return ours


# -- the warm process


def _serve(orders: socket.socket) -> None:
    """Until nobody can send any more."""
    _import()
    waiting: dict[int, tuple[int, socket.socket]] = {}
    with selectors.DefaultSelector() as selector:
        selector.register(orders, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                if key.fileobj is not orders:
                    pid, answer = waiting.pop(key.fd)
                    selector.unregister(key.fd)
                    os.close(key.fd)
                    _answer(answer, os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
                    answer.close()
                    continue
                order, descriptors, _, _ = socket.recv_fds(orders, ORDER_BYTES, 4)
                if not order:
                    return
                *streams, end = descriptors
                pid = os.fork()
                if pid == 0:
                    _play(order, streams)
                for stream in streams:
                    os.close(stream)
                answer = socket.socket(fileno=end)
                _answer(answer, pid)
                ending = os.pidfd_open(pid)
                waiting[ending] = pid, answer
                selector.register(ending, selectors.EVENT_READ)


def _answer(answer: socket.socket, number: int) -> None:
    try:
        answer.sendall(NUMBER.pack(number))
    except OSError:
        pass  # its time was up


def _play(order: bytes, streams: list[int]) -> None:
    """The child: becomes what exec would have made of it, and calls the program."""
    try:
        sys.argv, environ, directory, mask = json.loads(order)
        for number, stream in enumerate(streams):
            os.dup2(stream, number)
        os.closerange(3, max(map(int, os.listdir("/proc/self/fd"))) + 1)
        os.chdir(directory)
        os.umask(mask)
        os.environ.clear()
        os.environ.update(environ)
        from marianne.cli.main import main

        main()
    finally:
        sys.excepthook(*sys.exc_info())
        os._exit(1)


def _import() -> None:
    for name in WARMED:
        package = importlib.import_module(name)
        for module in pkgutil.walk_packages(package.__path__, f"{name}."):
            if not module.name.endswith("__main__"):
                importlib.import_module(module.name)
    for name in ALSO:
        importlib.import_module(name)
    gc.freeze()  # a call that looked through all this for garbage would copy it first


if __name__ == "__main__":
    if os.fork() == 0:
        del sys.path[0]
        signal.signal(signal.SIGINT, signal.default_int_handler)
        with socket.socket(fileno=int(sys.argv[1])) as line:
            _serve(line)
    os._exit(0)

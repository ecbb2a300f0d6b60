"""What the machine can do by itself: the baselines, and helpers that must be processes.

python bare.py spawn N            two threads, posix_spawn of /bin/true and wait; prints seconds
python bare.py echo PATH          a ROUTER that sends everything back
python bare.py submit SOCK PREFIX N < request   N job.submit; waits for a line, prints seconds
python bare.py tail SOCK N        reads N events in order; prints ready, then seconds
"""

from __future__ import annotations

import os
import select
import subprocess
import sys
import threading
import time


def spawn(count: int) -> None:
    def half() -> None:
        for _ in range(count // 2):
            os.waitpid(os.posix_spawn("/bin/true", ["true"], {}), 0)

    threads = [threading.Thread(target=half) for _ in range(2)]
    begun = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(time.perf_counter() - begun)


def echo(path: str) -> None:
    import zmq

    socket = zmq.Context().socket(zmq.ROUTER)
    socket.bind(f"ipc://{path}")
    while True:
        socket.send_multipart(socket.recv_multipart())


def submit(path: str, prefix: str, count: int) -> None:
    import msgpack

    from ipc.client import Client

    params = msgpack.unpackb(sys.stdin.buffer.read(int(sys.stdin.buffer.readline())))
    client = Client(path, timeout=60.0)
    client.request("daemon.health")
    print("ready", flush=True)
    sys.stdin.buffer.readline()
    begun = time.perf_counter()
    for number in range(count):
        client.request("job.submit", {**params, "id": f"{prefix}-{number}"})
    print(time.perf_counter() - begun)


def tail(path: str, count: int) -> None:
    from ipc.subscriber import Subscriber

    with Subscriber(path, [""]) as events:
        first = next(iter(events))
        print("ready", flush=True)
        begun, seq = time.perf_counter(), first["seq"]
        for event in events:
            if event["seq"] != seq + 1:
                sys.exit(f"event {seq + 1} was lost")
            seq += 1
            if seq >= count:
                break
        print(time.perf_counter() - begun, flush=True)


def run(*argv: object) -> float:
    """Runs one of the above as a process of its own; the seconds that it prints."""
    command = [sys.executable, __file__, *map(str, argv)]
    return float(subprocess.run(command, check=True, capture_output=True).stdout)


def spawn_seconds(count: int) -> float:
    """Two threads that start and wait for ``count`` processes."""
    return run("spawn", count)


def timed(command: list[str]) -> float:
    """Seconds from the start of a program to its end."""
    begun = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - begun


def shell_loop(count: int) -> float:
    """A shell that runs /bin/true ``count`` times, one after the other."""
    loop = f"i=0; while [ $i -lt {count} ]; do /bin/true; i=$((i+1)); done"
    return timed(["bash", "-c", loop])


def start(*argv: object) -> subprocess.Popen[bytes]:
    """Starts one of the above, with pipes to its input and output."""
    command = [sys.executable, __file__, *map(str, argv)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)


def readable(process: subprocess.Popen[bytes]) -> bool:
    """Whether it has printed something, within 20 ms."""
    assert process.stdout is not None
    return bool(select.select([process.stdout], [], [], 0.02)[0])


if __name__ == "__main__":
    verb, *rest = sys.argv[1:]
    {"spawn": spawn, "echo": echo, "submit": submit, "tail": tail}[verb](
        *(int(word) if word.isdigit() else word for word in rest)  # type: ignore[arg-type]
    )

"""Requests survive the death of their server; refusals that pass are waited for."""

from __future__ import annotations

import asyncio
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ipc.aclient import AsyncClient
from ipc.client import Client
from ipc.conversation import BACKOFF_LAST, RESEND_LAST, Conversation
from ipc.envelope import Reply, Request, decode_request
from ipc.errors import DeadlineExceeded, RemoteError
from ipc.server import Responder, Server

Spawn = Callable[..., "subprocess.Popen[str]"]
Serve = Callable[..., Server]

# A server that writes every request to a journal and answers only if it was told to.
SERVER = """
import sys
from ipc.server import Server
path, journal, answers = sys.argv[1:]
def dispatch(request, responder):
    with open(journal, "a") as lines:
        print(request.id, request.method, file=lines)
    if answers == "yes":
        responder.ok({"by": answers})
server = Server(path, dispatch)
server.start()
print("ready", flush=True)
sys.stdin.read()
"""


def in_thread(call: Callable[[], Any]) -> tuple[threading.Thread, list[Any]]:
    results: list[Any] = []
    thread = threading.Thread(target=lambda: results.append(call()))
    thread.start()
    return thread, results


def test_a_request_ends_before_its_time_if_no_server_will_come(
    place: Path, spawn: Spawn, wait_until: Any
) -> None:
    journal, there = place / "journal", threading.Event()
    journal.touch()
    there.set()
    server = spawn(SERVER, place / "s.sock", journal, "no")
    with Client(place / "s.sock", alive=there.is_set) as client:

        def ask() -> Any:
            with pytest.raises(DeadlineExceeded) as raised:
                client.request("job.submit", deadline=3600)
            return raised.value

        thread, results = in_thread(ask)
        wait_until(journal.read_text)
        server.kill()
        server.wait()
        there.clear()
        thread.join()
    assert results[0].reached


def test_a_request_survives_the_kill_of_its_server_under_the_same_id(
    place: Path, spawn: Spawn, client: Client, wait_until: Any
) -> None:
    journal = place / "journal"
    journal.touch()
    first = spawn(SERVER, place / "s.sock", journal, "no")
    thread, results = in_thread(lambda: client.request("job.submit", deadline=10, id="the-id"))
    wait_until(journal.read_text)
    first.kill()
    first.wait()
    spawn(SERVER, place / "s.sock", journal, "yes")
    thread.join()
    assert results == [{"by": "yes"}]
    assert set(journal.read_text().splitlines()) == {"the-id job.submit"}


def test_a_request_made_before_its_server_is_answered_when_that_comes(
    place: Path, serve: Serve, client: Client
) -> None:
    thread, results = in_thread(lambda: client.request("x", {"n": 1}, deadline=10))
    serve(lambda request, responder: responder.ok(request.params))
    thread.join()
    assert results == [{"n": 1}]


def test_an_idle_client_finds_the_next_server(place: Path, client: Client) -> None:
    for n in range(3):
        server = Server(place / "s.sock", lambda _, responder, n=n: responder.ok(n))
        server.start()
        assert client.request("x") == n
        assert server.stop()


def test_a_lost_request_is_sent_again_without_a_lost_connection(
    serve: Serve, client: Client
) -> None:
    seen: list[str] = []

    def deaf_at_first(request: Request, responder: Responder) -> None:
        seen.append(request.id)
        server._open.clear()  # as if it had never come

        if len(seen) > 1:
            server._open[request.id] = responder
            responder.ok("heard")

    server = serve(deaf_at_first)
    assert client.request("x", deadline=10) == "heard"
    assert len(seen) == 2
    assert len(set(seen)) == 1


@pytest.mark.parametrize("code", ["unavailable", "pressure", "shutting_down"])
def test_a_passing_refusal_is_waited_for_under_the_same_id(
    serve: Serve, client: Client, code: str
) -> None:
    seen: list[str] = []

    def busy_twice(request: Request, responder: Responder) -> None:
        seen.append(request.id)
        if len(seen) <= 2:
            responder.error(code, "not now")
        else:
            responder.ok("now")

    serve(busy_twice)
    assert client.request("x") == "now"
    assert len(seen) == 3
    assert len(set(seen)) == 1


def test_a_refusal_that_does_not_pass_is_raised_at_the_deadline(
    serve: Serve, client: Client
) -> None:
    serve(lambda _, responder: responder.error("pressure", "memory is short"))
    with pytest.raises(RemoteError, match="pressure: memory is short"):
        client.request("x", deadline=0.3)


def test_who_does_not_want_to_wait_gets_the_refusal_at_once(serve: Serve, client: Client) -> None:
    server = serve(lambda _, responder: responder.error("pressure", "memory is short"))
    with pytest.raises(RemoteError, match="pressure"):
        client.request("x", retry=())
    assert server.counters()["requests"] == 1


def test_overlapping_requests_of_one_event_loop(serve: Serve, place: Path) -> None:
    def dispatch(request: Request, responder: Responder) -> None:
        pause = request.params["n"] % 5 / 100
        threading.Timer(pause, responder.ok, (request.params["n"],)).start()

    serve(dispatch)

    async def main() -> list[int]:
        async with AsyncClient(place / "s.sock") as client:
            return await asyncio.gather(*(client.request("x", {"n": n}) for n in range(40)))

    assert asyncio.run(main()) == list(range(40))


def test_an_event_loops_requests_survive_a_restart_and_refusals(
    place: Path, spawn: Spawn, wait_until: Any
) -> None:
    journal = place / "journal"
    journal.touch()
    first = spawn(SERVER, place / "s.sock", journal, "no")

    async def main() -> list[Any]:
        async with AsyncClient(place / "s.sock", timeout=10) as client:
            asked = [asyncio.create_task(client.request(f"m{n}", id=f"i{n}")) for n in range(5)]
            while len(journal.read_text().splitlines()) < 5:
                await asyncio.sleep(0.005)
            first.kill()
            first.wait()
            spawn(SERVER, place / "s.sock", journal, "yes")
            return await asyncio.gather(*asked)

    assert asyncio.run(main()) == [{"by": "yes"}] * 5
    assert set(journal.read_text().splitlines()) == {f"i{n} m{n}" for n in range(5)}


def test_an_event_loop_gets_the_same_errors(serve: Serve, place: Path) -> None:
    def dispatch(request: Request, responder: Responder) -> None:
        if request.method == "no":
            responder.error("conflict", "no")

    async def main() -> None:
        async with AsyncClient(place / "s.sock") as client:
            with pytest.raises(DeadlineExceeded, match="nobody is listening"):
                await client.request("x", deadline=0.1)
            serve(dispatch)
            with pytest.raises(RemoteError, match="conflict"):
                await client.request("no")
            with pytest.raises(DeadlineExceeded, match="no answer"):
                await client.request("never", deadline=0.1)

    asyncio.run(main())


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_patience_grows_to_its_bound_and_ends_at_the_deadline() -> None:
    clock = Clock()
    talk = Conversation("x", None, 30.0, clock=clock)
    waits = []
    for _ in range(5):
        waits.append(talk.patience())
        talk.silent()
    assert waits == [0.5, 1.0, 2.0, 4.0, RESEND_LAST]
    clock.now += 29.75
    assert talk.patience() == 0.25
    assert decode_request(talk.frame()).deadline_ms == 250
    clock.now += 1
    with pytest.raises(DeadlineExceeded):
        talk.frame()


def test_pauses_grow_to_their_bound_unless_the_server_names_one() -> None:
    talk = Conversation("x", None, 1000.0, clock=Clock())
    busy = {"code": "unavailable", "message": ""}
    pauses = [talk.answered(Reply("i", False, None, busy)) for _ in range(12)]
    assert all(pause is not None for pause in pauses)
    assert pauses[0] is not None
    assert pauses[0] < 0.03
    assert max(pause for pause in pauses if pause) <= BACKOFF_LAST * 1.25
    named = {"code": "pressure", "message": "", "data": {"retry_after": 7}}
    assert talk.answered(Reply("i", False, None, named)) == 7.0

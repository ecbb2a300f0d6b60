"""Where a socket may lie, and who may lie in wait there."""

from __future__ import annotations

import os
import socket
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import zmq

from ipc.client import Client
from ipc.curve import new_secret
from ipc.endpoint import Endpoint
from ipc.envelope import Request
from ipc.errors import EndpointError, EndpointInUse
from ipc.network import NetworkEndpoint
from ipc.router import Router
from ipc.server import Responder, Server

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
STRANGER = 12345


def echo(request: Request, responder: Responder) -> None:
    responder.ok(request.params)


@pytest.fixture
def listener(place: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(place / "s.sock"))
        listening.listen(1)
        yield listening


def test_the_directory_is_made_private_and_the_socket_too(place: Path) -> None:
    server = Server(place / "a" / "b" / "s.sock", echo)
    server.start()
    try:
        assert stat.S_IMODE((place / "a" / "b").stat().st_mode) == 0o700
        assert stat.S_IMODE((place / "a" / "b" / "s.sock").stat().st_mode) == 0o600
    finally:
        assert server.stop()
    assert not (place / "a" / "b" / "s.sock").exists()


@pytest.mark.parametrize("mode", [0o755, 0o2755])
def test_a_directory_that_others_can_only_read_is_left_as_it_is(place: Path, mode: int) -> None:
    place.chmod(mode)
    Endpoint(place / "s.sock").prepare()
    assert stat.S_IMODE(place.stat().st_mode) == mode


@pytest.mark.parametrize("mode", [0o2775, 0o777, 0o1777])
def test_a_directory_that_others_can_write_is_refused_by_both_sides_and_left_as_it_is(
    place: Path, mode: int
) -> None:
    place.chmod(mode)
    with pytest.raises(EndpointError, match="others can write"):
        Server(place / "s.sock", echo).start()
    with Client(place / "s.sock") as client, pytest.raises(EndpointError, match="others can write"):
        client.request("x", deadline=0.1)
    assert stat.S_IMODE(place.stat().st_mode) == mode
    assert list(place.iterdir()) == []


def test_directories_on_the_way_are_made_private_under_any_umask(place: Path) -> None:
    before = os.umask(0)
    try:
        Endpoint(place / "a" / "b" / "s.sock").prepare()
    finally:
        os.umask(before)
    assert stat.S_IMODE((place / "a").stat().st_mode) == 0o700


def test_a_client_connects_to_the_directory_that_it_has_checked(place: Path) -> None:
    """Somebody who can rename it puts another in its place before the connection is made."""
    checked, other = place / "home", place / "other"
    checked.mkdir(mode=0o700)
    other.mkdir(mode=0o700)
    endpoint = Endpoint(checked / "s.sock")
    address = endpoint.checked_address().removeprefix("ipc://")
    checked.rename(place / "away")
    other.rename(checked)
    with socket.socket(socket.AF_UNIX) as false:
        false.bind(str(checked / "s.sock"))
        false.listen(1)
        with socket.socket(socket.AF_UNIX) as asks, pytest.raises(FileNotFoundError):
            asks.connect(address)
    endpoint.close()


def test_the_umask_is_back_after_a_bind(place: Path) -> None:
    before = os.umask(0o022)
    try:
        Server(place / "s.sock", echo).stop()
        endpoint = Endpoint(place / "x.sock")
        with pytest.raises(ZeroDivisionError):
            endpoint.bind(lambda address: 1 / 0)
        assert os.umask(0o022) == 0o022
    finally:
        os.umask(before)


def test_a_living_server_is_not_deafened(place: Path, listener: socket.socket) -> None:
    with pytest.raises(EndpointInUse):
        Server(place / "s.sock", echo).start()
    assert (place / "s.sock").exists()


def test_a_stale_socket_does_not_block(place: Path, listener: socket.socket) -> None:
    listener.close()
    server = Server(place / "s.sock", echo)
    server.start()
    with Client(place / "s.sock") as client:
        assert client.request("x", {"a": 1}) == {"a": 1}
    assert server.stop()


@pytest.mark.parametrize("kind", ["file", "directory", "link"])
def test_what_is_no_socket_is_never_replaced(place: Path, kind: str) -> None:
    path = place / "s.sock"
    if kind == "file":
        path.write_text("mine")
    elif kind == "directory":
        path.mkdir()
    else:
        path.symlink_to(place / "elsewhere")
    with pytest.raises(EndpointError, match="something else"):
        Server(path, echo).start()
    assert os.path.lexists(path)


@needs_root
@pytest.mark.parametrize("what", ["directory", "socket", "link"])
def test_a_strangers_place_is_refused_by_both_sides(place: Path, what: str) -> None:
    home = place / "home"
    home.mkdir(mode=0o700)
    path = home / "s.sock"
    if what == "directory":
        os.chown(home, STRANGER, STRANGER)
    elif what == "socket":
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(str(path))
        os.chown(path, STRANGER, STRANGER)
    else:
        (place / "way").symlink_to(home)
        os.chown(place / "way", STRANGER, STRANGER, follow_symlinks=False)
        path = place / "way" / "s.sock"
    with pytest.raises(EndpointError, match="another user"):
        Server(path, echo).start()
    with Client(path) as client, pytest.raises(EndpointError, match="another user"):
        client.request("x", deadline=0.1)


def test_our_own_link_is_followed(place: Path) -> None:
    (place / "home").mkdir(mode=0o700)
    (place / "way").symlink_to(place / "home")
    Endpoint(place / "way" / "s.sock").prepare()


def test_a_path_longer_than_a_socket_address_works(place: Path) -> None:
    path = place / ("d" * 120) / ("e" * 120) / "s.sock"
    server = Server(path, echo)
    server.start()
    assert path.is_socket()
    with Client(path) as client:
        assert client.request("x", {"a": 1}) == {"a": 1}
    with pytest.raises(EndpointInUse):
        Server(path, echo).start()
    assert server.stop()
    assert not path.exists()


def test_a_name_that_is_too_long_itself_is_refused(place: Path) -> None:
    with pytest.raises(EndpointError, match="too long"):
        _ = Endpoint(place / ("n" * 200)).address


def test_a_successors_socket_is_left_alone(place: Path) -> None:
    first, second = Endpoint(place / "s.sock"), Endpoint(place / "s.sock")
    context = zmq.Context()
    one, two = context.socket(zmq.ROUTER), context.socket(zmq.ROUTER)
    first.bind(one.bind)
    one.unbind(first.address)
    (place / "s.sock").unlink(missing_ok=True)
    second.bind(two.bind)
    first.remove()
    assert (place / "s.sock").is_socket()
    context.destroy(0)
    second.remove()
    assert not (place / "s.sock").exists()


@pytest.mark.parametrize("name", ["ipc-connections", "ipc-gate", "ipc-router"])
def test_where_no_thread_is_to_be_had_a_server_says_so_and_leaves_nothing(
    place: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """It waited for ever for a socket of its own that nobody closed any more."""

    class Crowded(threading.Thread):
        def start(self) -> None:
            if self.name == name:
                raise RuntimeError("can't start new thread")
            super().start()

    path: Path | NetworkEndpoint = place / "s.sock"
    if name == "ipc-gate":
        path = NetworkEndpoint("tcp://127.0.0.1:*", new_secret(), lambda _key: True)
    said: list[BaseException] = []

    def start() -> None:
        with pytest.raises(RuntimeError) as error:
            Router(path, lambda *_: None).start()
        said.append(error.value)

    starting = threading.Thread(target=start, daemon=True)
    with monkeypatch.context() as patched:
        patched.setattr(threading, "Thread", Crowded)
        starting.start()
        starting.join(10)
    assert str(said[0]) == "can't start new thread"
    assert not list(place.glob("*.sock"))
    again = Router(path, lambda *_: None)
    again.start()
    assert again.stop()

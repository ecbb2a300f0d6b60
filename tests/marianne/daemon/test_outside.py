"""A socket for other machines: bound by the keys that there are, and anew when they change."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from handler_stage import Desk, desk_in

from ipc.errors import EndpointError
from marianne.daemon.api.handlers import daemon_keys
from marianne.daemon.shared.outside import Outside
from marianne.keys.store import Keys

ADDRESS = "tcp://127.0.0.1:7450"


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    place = tmp_path / "home"
    place.mkdir(mode=0o700)
    with desk_in(place) as desk:
        desk.home.prepare()
        yield desk


class Line:
    """In place of a server: notes what it is told, and may be refused its address."""

    refused = False

    def __init__(self, place: Any) -> None:
        self.place = place
        self.told: list[str] = []

    def start(self) -> None:
        if Line.refused:
            raise EndpointError("it is taken")
        self.told.append("start")

    def stop(self) -> None:
        self.told.append("stop")


def test_without_an_address_nothing_is_bound(desk: Desk) -> None:
    unserved: dict[str, str] = {}
    outside = Outside(desk.home, None, unserved, Line)
    outside.look()
    assert (outside.socket, unserved) == (None, {})


def test_without_keys_it_says_why_and_with_the_first_it_serves(desk: Desk, tmp_path: Path) -> None:
    unserved: dict[str, str] = {}
    outside = Outside(desk.home, ADDRESS, unserved, Line)
    outside.look()
    assert outside.socket is None
    assert list(unserved) == [ADDRESS]
    Keys(desk.home.path).make("laptop", ADDRESS, tmp_path / "laptop.key")
    outside.look()
    assert unserved == {}
    assert outside.socket is not None
    assert outside.socket.told == ["start"]


def test_it_is_bound_anew_when_keys_have_changed_and_only_then(desk: Desk, tmp_path: Path) -> None:
    keys = Keys(desk.home.path)
    keys.make("laptop", ADDRESS, tmp_path / "laptop.key")
    outside = Outside(desk.home, ADDRESS, {}, Line)
    outside.look()
    first = outside.socket
    outside.look()
    assert outside.socket is first
    keys.make("desk", ADDRESS, tmp_path / "desk.key")
    outside.look()
    assert outside.socket is not first
    assert first is not None
    assert first.told == ["start", "stop"]
    outside.stop()
    assert outside.socket is None


def test_what_cannot_be_bound_is_said_and_tried_again(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Keys(desk.home.path).make("laptop", ADDRESS, tmp_path / "laptop.key")
    unserved: dict[str, str] = {}
    outside = Outside(desk.home, ADDRESS, unserved, Line)
    monkeypatch.setattr(Line, "refused", True)
    outside.look()
    assert "it is taken" in unserved[ADDRESS]
    monkeypatch.setattr(Line, "refused", False)
    outside.look()
    assert unserved == {}
    assert outside.socket is not None


class Told:
    """In place of an actor: notes that it was told."""

    def __init__(self, told: list[str], name: str) -> None:
        self._told, self._name = told, name

    def tell(self, _method: Any) -> None:
        self._told.append(self._name)


def test_who_asks_for_the_keys_in_force_has_both_sockets_look(desk: Desk, tmp_path: Path) -> None:
    Keys(desk.home.path).make("laptop", ADDRESS, tmp_path / "laptop.key")
    looked: list[str] = []
    for name in ("server", "events"):
        setattr(desk.context, name, Told(looked, name))
    assert daemon_keys.handle(desk.call(), None) == {"clients": ["laptop"]}
    assert looked == ["server", "events"]

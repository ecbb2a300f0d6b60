"""Where figures may be served, and how the place is taken."""

from __future__ import annotations

import os
import socket
import stat
from contextlib import closing
from pathlib import Path

import pytest
from pydantic import ValidationError

from marianne.daemon.config.metrics import MetricsConfig
from marianne.metrics.address import Address, parse


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:9464", Address("127.0.0.1", 9464)),
        ("localhost:9464", Address("127.0.0.1", 9464)),
        ("[::1]:9464", Address("::1", 9464)),
        ("0.0.0.0:9464", Address("0.0.0.0", 9464)),
        ("/run/m.sock", Address("/run/m.sock")),
        ("unix:/run/m.sock", Address("/run/m.sock")),
    ],
)
def test_an_address_is_numbers_or_a_path(text: str, address: Address) -> None:
    assert parse(text) == address


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("9464", "HOST:PORT"),
        ("m.sock", "HOST:PORT"),
        ("::1:9464", "HOST:PORT"),
        ("example.org:9464", "not looked up"),
        ("127.0.0.1:0", "no port"),
        ("127.0.0.1:65536", "no port"),
        ("/" + "x" * 107, "107 bytes"),
    ],
)
def test_anything_else_is_refused_in_words(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        parse(text)


def test_other_machines_are_served_only_if_that_is_said() -> None:
    with pytest.raises(ValidationError, match="remote: true"):
        MetricsConfig(listen="0.0.0.0:9464")
    assert MetricsConfig(listen="0.0.0.0:9464", remote=True).listen
    assert MetricsConfig(listen="[::1]:9464").listen
    assert MetricsConfig(listen="/run/m.sock").listen


def test_a_socket_of_its_own_is_for_its_owner_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        with closing(Address(str(tmp_path / "m")).bind()):
            assert stat.S_IMODE((tmp_path / "m").stat().st_mode) == 0o600
    finally:
        os.umask(before)


def test_a_socket_that_nobody_listens_on_is_replaced_and_a_living_one_is_not(
    tmp_path: Path,
) -> None:
    address = Address(str(tmp_path / "m"))
    address.bind().close()  # as a conductor that was killed leaves it
    with closing(address.bind()), pytest.raises(OSError, match="in use"):
        address.bind()
    address.unlink()
    (tmp_path / "m").write_text("mine")
    with pytest.raises(OSError, match="in use"):
        address.bind()
    assert (tmp_path / "m").read_text() == "mine"


def test_a_port_that_is_taken_is_an_error() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(OSError, match="in use"):
            Address("127.0.0.1", port).bind()

"""``network: false``: no packet leaves, none arrives, not even within the machine."""

from __future__ import annotations

import socket

import pytest
from walls_ground import USERS, Behind, Ground

TCP = "exec 3<>/dev/tcp/127.0.0.1/$PORT"
UDP = "echo x > /dev/udp/127.0.0.1/$PORT"
SERVE = (
    'perl -e \'use IO::Socket::INET; IO::Socket::INET->new(Listen=>1,LocalAddr=>"127.0.0.1")'
    " or exit 1'"
)


@pytest.mark.parametrize("user", USERS)
@pytest.mark.parametrize("without", [[], ["landlock"], ["network"]])
def test_nothing_of_this_machine_is_reached(
    behind: Behind, ground: Ground, user: int | None, without: list[str]
) -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams,
    ):
        port = server.getsockname()[1]
        datagrams.bind(("127.0.0.1", port))
        datagrams.setblocking(False)
        told = behind(
            user=user,
            without=without,
            sandbox={"network": False},
            places=ground.places,
            env={"PORT": str(port)},
            scripts={"tcp": TCP, "udp": UDP, "serve": SERVE},
        )
        server.setblocking(False)
        with pytest.raises(BlockingIOError):
            server.accept()
        refused = {name for name, (code, _) in told["ended"].items() if code}
        if "network" in without:
            assert refused == {"tcp", "serve"}
            assert told["walls"] == ["network (TCP alone)"]
            assert "UDP not" in told["refusal"]
        else:
            assert refused >= {"tcp", "udp"}
            with pytest.raises(BlockingIOError):
                datagrams.recv(10)

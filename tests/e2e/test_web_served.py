"""Pages that the conductor has served: over its death, as it is reloaded, never without a token."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import stat
from contextlib import closing

from e2e_marianne import Marianne, until


def _free_port() -> int:
    with closing(socket.create_server(("127.0.0.1", 0))) as one:
        return int(one.getsockname()[1])


def _status(port: int, cookie: str = "") -> int:
    """Of the first page; 0 while nobody serves it."""
    try:
        with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=60)) as connection:
            connection.request("GET", "/", headers={"Cookie": cookie})
            return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return 0


def _configure(marianne: Marianne, text: str) -> None:
    marianne.home.mkdir(mode=0o700, exist_ok=True)
    (marianne.home / "conductor.yaml").write_text(text)


def test_pages_are_served_over_a_death_of_the_conductor_and_until_a_reload(
    marianne: Marianne,
) -> None:
    port = _free_port()
    _configure(marianne, f"web: {{enabled: true, port: {port}}}\n")
    marianne("start")
    until(lambda: _status(port) == 403)
    address = marianne("web", "--address").out.strip()
    assert address.startswith(f"http://127.0.0.1:{port}/?token=")
    cookie = f"marianne_{port}={address.partition('token=')[2]}"
    assert _status(port, cookie) == 200
    noted = marianne.home / "web.address"
    assert stat.S_IMODE(noted.stat().st_mode) == 0o600
    first = marianne.pids()["conductor"]
    os.kill(first, signal.SIGKILL)
    until(lambda: marianne.pids()["conductor"] != first and _status(port, cookie) == 200)
    assert marianne("web", "--address").out.strip() == address
    _configure(marianne, "")
    assert "web.enabled" in marianne("reload", "--json").json["applied"]
    until(lambda: _status(port) == 0)
    refused = marianne("web", "--address", code=4)
    assert "no pages served" in refused.err
    assert "token" not in (marianne.home / "logs" / "conductor.log").read_text()

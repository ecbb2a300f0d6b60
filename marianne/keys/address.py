"""Where a conductor listens for other machines: requests at a port, events at the next."""

from __future__ import annotations

import re

LISTEN = re.compile(r"tcp://(\[[0-9A-Fa-f:.%]+\]|[A-Za-z0-9_.-]+|\*):([0-9]{1,5})")


def port_of(address: str) -> int:
    """The port of ``tcp://HOST:PORT``. Raises ValueError for what is none."""
    found = LISTEN.fullmatch(address)
    if found is None or not 0 < int(found[2]) < 65_535:
        raise ValueError("must be tcp://HOST:PORT, such as tcp://0.0.0.0:7410, PORT up to 65534")
    return int(found[2])


def for_events(address: str) -> str:
    """Where events are told by the conductor that takes requests there."""
    return f"{address.rpartition(':')[0]}:{port_of(address) + 1}"

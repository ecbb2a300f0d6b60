"""CURVE: a connection on which a side proves by a key who it is, and that nobody reads on the way.

Keys are 32 bytes. Who connects knows the server's public key, so whoever puts a socket of his own
in the server's place learns nothing and says nothing that is believed.
"""

from __future__ import annotations

import os
from functools import cache
from typing import Final

import zmq
from zmq.utils import z85

KEY_BYTES: Final = 32


@cache
def available() -> bool:
    """Whether the ZeroMQ that is installed was built with it."""
    return bool(zmq.has("curve"))


def new_secret() -> bytes:
    """A secret key."""
    return os.urandom(KEY_BYTES)


def public_of(secret: bytes) -> bytes:
    """The public key that belongs to a secret one."""
    return z85.decode(zmq.curve_public(z85.encode(secret)))


def serve_by(socket: zmq.Socket[bytes], secret: bytes) -> None:
    """A socket that is about to be bound proves itself by this key, and takes nobody without
    CURVE."""
    socket.setsockopt(zmq.CURVE_SERVER, 1)
    socket.setsockopt(zmq.CURVE_SECRETKEY, secret)


def ask_for(socket: zmq.Socket[bytes], server: bytes, own: bytes | None = None) -> None:
    """A socket that is about to connect speaks only with who has the secret of this public key.

    ``own`` is the secret by which it proves itself in turn; without one it is anybody.
    """
    secret = new_secret() if own is None else own
    socket.setsockopt(zmq.CURVE_SERVERKEY, server)
    socket.setsockopt(zmq.CURVE_PUBLICKEY, public_of(secret))
    socket.setsockopt(zmq.CURVE_SECRETKEY, secret)

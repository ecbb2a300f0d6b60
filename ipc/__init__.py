"""Requests and events between processes of one user, over ZeroMQ and msgpack.

    server = Server(path, dispatch)           client = Client(path)
    server.start()                            client.request("job.list", {"limit": 10})

Knows nothing of what is asked or told: that is its users' business. The names are loaded when they
are first used, so that a program which only asks does not pay for the answering side.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ipc.aclient import AsyncClient
    from ipc.client import Client
    from ipc.codec import FRAME_LIMIT, pack, unpack
    from ipc.dealer import Dealer
    from ipc.endpoint import Endpoint
    from ipc.envelope import Request
    from ipc.errors import (
        RETRYABLE,
        CodecError,
        DeadlineExceeded,
        EndpointError,
        EndpointInUse,
        IpcError,
        RemoteError,
    )
    from ipc.publisher import Publisher, topic_of
    from ipc.router import Router
    from ipc.server import Responder, Server
    from ipc.subscriber import Subscriber

__all__ = [
    "FRAME_LIMIT",
    "RETRYABLE",
    "AsyncClient",
    "Client",
    "CodecError",
    "DeadlineExceeded",
    "Dealer",
    "Endpoint",
    "EndpointError",
    "EndpointInUse",
    "IpcError",
    "Publisher",
    "RemoteError",
    "Request",
    "Responder",
    "Router",
    "Server",
    "Subscriber",
    "pack",
    "topic_of",
    "unpack",
]

_HOME = {
    "FRAME_LIMIT": "codec",
    "RETRYABLE": "errors",
    "AsyncClient": "aclient",
    "Client": "client",
    "CodecError": "errors",
    "DeadlineExceeded": "errors",
    "Dealer": "dealer",
    "Endpoint": "endpoint",
    "EndpointError": "errors",
    "EndpointInUse": "errors",
    "IpcError": "errors",
    "Publisher": "publisher",
    "RemoteError": "errors",
    "Request": "envelope",
    "Responder": "server",
    "Router": "router",
    "Server": "server",
    "Subscriber": "subscriber",
    "pack": "codec",
    "topic_of": "publisher",
    "unpack": "codec",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'ipc' has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(f"ipc.{_HOME[name]}"), name)
    return value

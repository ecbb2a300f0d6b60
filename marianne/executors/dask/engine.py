"""A Dask cluster as :class:`marianne.executors.bridge.Engine`: its workers are the nodes.

The scheduler is asked only which workers there are, and to have the plugin on each: with every look
that finds another scheduler, or the same one started anew, which has forgotten it.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from distributed.comm import Comm, connect
from distributed.core import rpc
from distributed.protocol.pickle import dumps
from distributed.security import Security

from marianne.executors.bridge import Channel, EngineError, Found
from marianne.executors.dask.plugin import START_SECONDS, WardenPlugin
from marianne.version import VERSION

CONNECT_SECONDS, ANSWER_SECONDS = 10.0, 5.0
"""What a node has until it is connected, and the scheduler for its answer, which is asked each
second."""


class DaskEngine:
    """``settings``: name (the executor's), owner (the conductor's mark), address, tls_ca_file,
    tls_cert, tls_key, lease_seconds, sheet_grace_seconds, node_directory."""

    def __init__(self, settings: dict[str, Any]) -> None:
        self._settings = settings
        self._address: str = settings["address"]
        self._security = _security(settings)
        mark = hashlib.blake2b(f"{settings['owner']}/{settings['name']}".encode(), digest_size=8)
        self._mark = mark.hexdigest()
        self._operation = f"marianne-{VERSION}-{self._mark}"
        self._known = ""
        self._scheduler: Any = None

    async def look(self) -> list[Found]:
        """The scheduler's workers."""
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                found = await self._look()
        except Exception as error:
            self._known = ""
            raise EngineError(self._in_words(error)) from error
        return [_found(address, facts) for address, facts in found.items()]

    async def _look(self) -> dict[str, Any]:
        if self._scheduler is None:
            arguments = self._security.get_connection_args("client") if self._security else {}
            self._scheduler = rpc(self._address, connection_args=arguments)
        identity = await self._scheduler.identity()
        if identity["id"] != self._known:
            await self._scheduler.register_worker_plugin(
                plugin=dumps(WardenPlugin(self._operation)), name=self._operation, idempotent=True
            )
            self._known = identity["id"]
        workers: dict[str, Any] = identity["workers"]
        return workers

    async def connect(self, node: Found) -> Channel:
        """Asks the node's Dask worker for its warden."""
        arguments = self._security.get_connection_args("client") if self._security else {}
        try:
            comm = await connect(node.address, timeout=CONNECT_SECONDS, **arguments)
            owner = hashlib.blake2b(f"{self._mark}/{node.name}".encode(), digest_size=16)
            await comm.write(
                {
                    "op": self._operation,
                    "place": f"{self._mark}-{node.name}"[:64],
                    "directory": self._settings["node_directory"],
                    "settings": {
                        "node": node.name,
                        "owner": owner.hexdigest(),
                        "lease_seconds": self._settings["lease_seconds"],
                        "sheet_grace_seconds": self._settings["sheet_grace_seconds"],
                    },
                }
            )
            async with asyncio.timeout(START_SECONDS + CONNECT_SECONDS):
                answer = await comm.read()
        except Exception as error:
            text = str(error) or type(error).__name__
            if _of_tls(text):
                text += "; has its Dask worker a certificate of the authority in tls_ca_file?"
            raise EngineError(
                f"node {node.name} ({node.address}) is not reached: {text}"
            ) from error
        if answer is None:
            self._known = ""  # a worker that came while the scheduler knew no plugin has none
            raise EngineError(
                f"node {node.name} ({node.address}) cannot load Marianne: install it there (pip"
                f" install 'marianne-conductor[dask]=={VERSION}') and start its Dask worker again"
            )
        if "error" in answer:
            raise EngineError(f"node {node.name} ({node.address}): {answer['error']}")
        return DaskChannel(comm)

    def need(
        self,
        waiting: int,
        busy: Collection[str],
        resting: Collection[str],
        held: Collection[Sequence[Any]],
        batch: Collection[Mapping[str, Any]],
        over: Collection[str],
    ) -> None:
        """Nothing: the cluster's workers are there, or not, whatever is needed."""

    def news(self) -> None:
        """It has no batch jobs."""

    def _in_words(self, error: Exception) -> str:
        text = str(error.__cause__ or error) or type(error).__name__
        hint = "is the scheduler up, and does its address stand in conductor.yaml as it is?"
        if (lacking := self._lacking()) is not None:
            text, hint = lacking, "name a file that the conductor may read, in conductor.yaml"
        elif _of_tls(text):
            hint = "do tls_ca_file, tls_cert and tls_key belong to that cluster?"
        name = self._settings["name"]
        return (
            f"executor {name}: the Dask scheduler at {self._address} is not reached: {text}; {hint}"
        )

    def _lacking(self) -> str | None:
        """Which of the files for TLS cannot be read; None: all can, as far as they are named."""
        for field in ("tls_ca_file", "tls_cert", "tls_key"):
            path = self._settings[field]
            if path is not None and not os.access(path, os.R_OK):
                return f"{field}: {path} cannot be read"
        return None


class DaskChannel:
    """Bytes over a connection of Dask's."""

    def __init__(self, comm: Comm) -> None:
        self._comm = comm

    async def write(self, data: bytes) -> None:
        """As Channel says: Dask's errors of a closed connection are OSErrors."""
        await self._comm.write(data)

    async def read(self) -> bytes:
        """As Channel says."""
        data: bytes = await self._comm.read()
        return bytes(data)

    async def close(self) -> None:
        """Without waiting for the other end, which may be gone."""
        self._comm.abort()


def _of_tls(text: str) -> bool:
    return any(word in text.lower() for word in ("certificate", "ssl", "tls"))


def _security(settings: dict[str, Any]) -> Security | None:
    if not settings["address"].startswith("tls://"):
        return None
    return Security(
        tls_ca_file=settings["tls_ca_file"],
        tls_client_cert=settings["tls_cert"],
        tls_client_key=settings["tls_key"],
        require_encryption=True,
    )


def _found(address: str, facts: dict[str, Any]) -> Found:
    """A worker has the name that it was given; one without, that of its nanny, which stays."""
    given = facts.get("name", address)
    if isinstance(given, int):
        name = f"worker-{given}"
    elif str(given) == address:
        name = re.sub(r"^\w+://", "", facts.get("nanny") or address)
    else:
        name = str(given)
    name = re.sub(r"[^A-Za-z0-9._-]", "-", name)[:40]
    resources = facts.get("resources") or {}
    gpus = int(resources.get("GPU") or 0)
    labels = tuple(str(one) for one in resources if one != "GPU")
    memory = int(facts.get("memory_limit") or 0) // 2**20
    return Found(name, address, int(facts.get("nthreads") or 1), memory, gpus, labels)

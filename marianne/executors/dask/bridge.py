"""The bridge to a Dask cluster, as a process of the conductor's forkserver."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from ipc.dealer import Dealer
from marianne.executors.bridge import Bridge, staging_of
from marianne.executors.dask.engine import DaskEngine
from marianne.run import procfs


def bridge_main(settings: dict[str, Any], socket: str, name: bytes, key: bytes | None) -> None:
    """Until its process is ended. ``socket`` is the conductor's, who has the secret of ``key``,
    ``name`` what it is called there and keeps secret; ``settings`` are the engine's."""
    procfs.take_name("marianne-bridge")
    # What Dask says of a connection that ends is said to the conductor, in a sentence.
    logging.getLogger("distributed").setLevel(logging.CRITICAL)

    async def serve() -> None:
        line = Dealer(socket, name, server_key=key)
        lease, staging = settings["lease_seconds"], staging_of(settings)
        await Bridge(line, DaskEngine(settings), lease, staging).run()

    asyncio.run(serve())

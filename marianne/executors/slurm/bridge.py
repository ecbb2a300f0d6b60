"""The bridge to a cluster of Slurm's, as a process of the conductor's forkserver."""

from __future__ import annotations

import asyncio
from typing import Any

from ipc.dealer import Dealer
from marianne.executors.bridge import Bridge
from marianne.executors.slurm.engine import SlurmEngine
from marianne.run import procfs


def bridge_main(settings: dict[str, Any], socket: str, name: bytes, key: bytes | None) -> None:
    """Until its process is ended. ``socket`` is the conductor's, who has the secret of ``key``,
    ``name`` what it is called there and keeps secret; ``settings`` are the engine's."""
    procfs.take_name("marianne-bridge")

    async def serve() -> None:
        line = Dealer(socket, name, server_key=key)
        await Bridge(line, SlurmEngine(settings), settings["lease_seconds"]).run()

    asyncio.run(serve())

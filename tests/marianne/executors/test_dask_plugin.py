"""What runs in a Dask worker: how it comes to the warden of its node."""

from __future__ import annotations

import asyncio
import os
import socket
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("distributed", reason="needs pip install 'marianne-conductor[dask]'")

from marianne.executors.dask import plugin
from marianne.executors.node_directory import directory_of


def test_a_warden_is_reached_however_long_the_name_of_its_directory_is(tmp_path: Path) -> None:
    home = tmp_path / ("long" * 20) / ("name" * 20)
    home.mkdir(parents=True)

    async def reach() -> bytes:
        reader, writer = await plugin._connect(home, {})
        found = await reader.read(5)
        writer.close()
        return found

    with socket.socket(socket.AF_UNIX) as listener:
        directory = os.open(home, os.O_PATH)
        listener.bind(f"/proc/self/fd/{directory}/warden.sock")
        os.close(directory)
        listener.listen()

        async def both() -> bytes:
            loop = asyncio.get_running_loop()
            listener.setblocking(False)
            reached = asyncio.ensure_future(reach())
            taken, _ = await loop.sock_accept(listener)
            with taken:
                await loop.sock_sendall(taken, b"hello")
            return await reached

        assert asyncio.run(both()) == b"hello"


class Ear:
    """The other side of the connection; what it is told."""

    def __init__(self) -> None:
        self.told: list[dict[str, Any]] = []

    async def write(self, message: dict[str, Any]) -> None:
        self.told.append(message)


@pytest.mark.parametrize("why", ["its disk is full (No space left on device)", "No such file"])
def test_where_a_warden_can_keep_nothing_the_answer_is_why_and_what_to_do(
    tmp_path: Path, why: str
) -> None:
    home = directory_of(str(tmp_path), "a")
    (home / f"settings.{os.getpid()}").symlink_to("/dev/full")
    ear: Any = Ear()
    place = str(tmp_path) if "full" in why else "/proc"
    asyncio.run(plugin.tunnel(ear, "a", place, {}))
    said = ear.told[0]["error"]
    assert said.startswith(f"{place}/marianne-{os.getuid()}")
    assert why in said
    assert said.endswith(", or set node_directory of the executor in conductor.yaml")

"""What runs in a Dask worker: how it comes to the warden of its node."""

from __future__ import annotations

import asyncio
import os
import socket
from pathlib import Path

import pytest

pytest.importorskip("distributed", reason="needs pip install 'marianne-conductor[dask]'")

from marianne.executors.dask import plugin


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

"""What many pages ask for is made once; it is never older than was said, and no error is kept."""

from __future__ import annotations

import asyncio

import pytest

from marianne.web import shared_answers
from marianne.web.shared_answers import SharedAnswers


class Maker:
    def __init__(self) -> None:
        self.made = 0
        self.now = 100.0
        self.fails = False
        self.gate = asyncio.Event()
        self.gate.set()
        self.answers = SharedAnswers(lambda: self.now)

    async def make(self) -> bytes:
        await self.gate.wait()
        self.made += 1
        if self.fails:
            raise ValueError("no")
        return b"%d" % self.made

    async def get(self, key: str = "a") -> bytes:
        return await self.answers.get(key, 3.0, self.make)


def test_who_asks_meanwhile_and_soon_after_gets_the_same() -> None:
    async def play() -> None:
        maker = Maker()
        maker.gate.clear()
        asked = [asyncio.create_task(maker.get()) for _ in range(5)]
        await asyncio.sleep(0)
        asked[0].cancel()
        maker.gate.set()
        assert await asyncio.gather(*asked[1:]) == [b"1"] * 4
        maker.now += 2.9
        assert await maker.get() == b"1"
        maker.now += 0.1
        assert await maker.get() == b"2"
        assert await maker.get("b") == b"3"

    asyncio.run(play())


def test_an_error_is_told_and_not_kept() -> None:
    async def play() -> None:
        maker = Maker()
        maker.fails = True
        for _ in range(2):
            with pytest.raises(ValueError, match="no"):
                await maker.get()
        assert maker.made == 2
        maker.fails = False
        assert await maker.get() == b"3"

    asyncio.run(play())


def test_only_so_many_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared_answers, "MOST", 2)

    async def play() -> None:
        maker = Maker()
        assert [await maker.get(key) for key in "abca"] == [b"1", b"2", b"3", b"4"]

    asyncio.run(play())

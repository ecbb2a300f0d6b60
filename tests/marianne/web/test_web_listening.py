"""Hearing of events over a conductor's death."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest

from marianne.client.conductor import Conductor
from marianne.web.live import Live


@pytest.mark.parametrize(("answered", "anew"), [(146, False), (150, False), (3, True)])
def test_only_a_state_that_has_fewer_events_than_it_had_is_another(
    monkeypatch: pytest.MonkeyPatch, answered: int, *, anew: bool
) -> None:
    """What is heard while the question is on its way is no reason to forget what was heard."""
    begun: list[int] = []

    class Heard:
        def __init__(self, _session: object, since: int, _take: object) -> None:
            begun.append(since)

        def stop(self) -> None:
            pass

    monkeypatch.setattr("marianne.web.live.Tail", Heard)

    async def play() -> None:
        live = Live(cast(Conductor, SimpleNamespace(session=None, ask=ask)))
        live._hub.begin(145)
        live._tail = cast(Any, Heard(None, 145, None))

        async def meanwhile() -> None:
            live._hub.add({"seq": seq, "job_id": "a"} for seq in range(146, 151))

        waiting.append(meanwhile)
        await live._listen()
        assert live._hub.last == (answered if anew else 150)

    waiting: list[Any] = []

    async def ask(_method: str, **_params: Any) -> dict[str, int]:
        await waiting[0]()
        return {"last": answered}

    asyncio.run(play())
    assert begun == ([145, answered] if anew else [145])

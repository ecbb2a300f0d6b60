"""The examples in docs/protocol.md are run as they stand there."""

from __future__ import annotations

import re
import threading
from pathlib import Path
from typing import Any

import pytest

from ipc.publisher import TICK, Publisher
from ipc.server import Server

DOCUMENT = Path(__file__).parents[2] / "docs" / "protocol.md"
REQUEST, TAIL = re.findall(r"```python\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)


def run(text: str, home: Path) -> None:
    exec(compile(text, str(DOCUMENT), "exec"), {"home": home})


def test_a_request_by_hand_is_answered(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    server = Server(
        place / "conductor.sock", lambda request, responder: responder.ok({"did": request.method})
    )
    server.start()
    run(REQUEST, place)
    assert capsys.readouterr().out == "{'did': 'daemon.health'}\n"
    assert server.stop()


def test_a_tail_by_hand_sees_events_gaps_and_the_tick(
    place: Path, capsys: pytest.CaptureFixture[str], wait_until: Any
) -> None:
    publisher = Publisher(place / "events.sock")
    publisher.start()
    tail = threading.Thread(target=run, args=(TAIL, place))
    tail.start()
    wait_until(lambda: publisher.wanted and len(publisher._topics) == 2)
    for seq, prev in ((1, None), (5, 4)):
        body = {"seq": seq, "prev": prev, "event": "sheet.started", "data": {"seq": seq}}
        publisher.publish("job.word-count.sheet.started", body)
    publisher.publish(TICK, {"seq": 6, "event": TICK})
    tail.join()
    publisher.stop()
    assert capsys.readouterr().out.splitlines() == [
        "job.word-count.sheet.started {'seq': 1}",
        "missed some: ask events.since 1",
        "job.word-count.sheet.started {'seq': 5}",
        "there may be more: ask events.since 5",
    ]

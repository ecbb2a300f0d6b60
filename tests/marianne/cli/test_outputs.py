"""What sheets print comes as whole lines, each once, whatever the answers are like."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from marianne.cli import outputs
from marianne.cli.errors import CliError
from marianne.cli.outputs import LONGEST, Lines, Outputs
from marianne.cli.session import Session


@settings(deadline=None)
@given(st.binary(max_size=300), st.lists(st.integers(1, 40), max_size=20))
def test_lines_are_the_same_however_the_bytes_are_cut(data: bytes, cuts: list[int]) -> None:
    lines, found, at = Lines(), [], 0
    for cut in cuts:
        found += lines.add(data[at : at + cut])
        at += cut
    found += lines.add(data[at:], last=True)
    assert found == data.removesuffix(b"\n").split(b"\n") if data else not found


def test_a_line_without_an_end_is_not_waited_for_for_ever() -> None:
    lines = Lines()
    found = [piece for _ in range(40) for piece in lines.add(b"x" * (LONGEST // 4))]
    assert {len(piece) for piece in found} == {LONGEST}
    assert len(b"".join(found)) >= 9 * LONGEST
    found += lines.add(b"y\nz", last=True)
    assert found[-1] == b"z"
    assert b"".join(found) == b"x" * (10 * LONGEST) + b"yz"


class Paper(Session):
    """A conductor of paper: the streams by (sheet, attempt, stream), and how often it is away."""

    def __init__(self, streams: dict[tuple[int, int, str], bytes]) -> None:
        super().__init__()
        self.streams = streams
        self.over: set[tuple[int, int]] = set()
        self.away = 0
        self.piece = 7

    def running(self) -> bool:
        return True

    def request(self, method: str, params: dict[str, Any], **_: Any) -> Any:  # type: ignore[override]
        assert method == "job.output"
        if self.away:
            self.away -= 1
            raise CliError("unavailable", "it is just starting")
        attempt = params["sheet"], params["attempt"]
        data = self.streams.get((*attempt, params["stream"]), b"")
        offset = params["offset"]
        piece = data[offset : offset + self.piece]
        return {
            "data": piece,
            "next_offset": offset + len(piece),
            "size": len(data),
            "ended": attempt in self.over,
        }


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, str, bytes]]:
    for name in ("QUICK", "SLOW"):
        monkeypatch.setattr(outputs, name, 0.001)
    return []


def event(name: str, num: int, attempt: int) -> Any:
    return {"event": f"sheet.{name}", "sheet_num": num, "data": {"attempt": attempt}}


def reader(paper: Paper, told: list[tuple[int, str, bytes]]) -> Outputs:
    return Outputs(paper, "wc", lambda num, stream, line: told.append((num, stream, line)))


def test_an_attempt_is_told_to_its_end_before_its_end_is(told) -> None:
    paper = Paper({(1, 1, "out"): b"one\ntwo and more\nlast", (1, 1, "err"): b"oh\n"})
    read = reader(paper, told)
    read.take(event("started", 1, 1))
    paper.over.add((1, 1))
    read.take(event("failed", 1, 1))
    whole = [(1, "out", line) for line in (b"one", b"two and more", b"last")]
    assert told == [*whole, (1, "err", b"oh")]
    assert read.finish()
    assert len(told) == 4


def test_what_has_ended_before_its_events_come_is_told_once(told) -> None:
    paper = Paper({(1, 2, "out"): b"second\n", (1, 1, "out"): b"first\n"})
    paper.over |= {(1, 1), (1, 2)}
    read = reader(paper, told)
    read.running({"sheets": [{"num": 1, "status": "running", "attempt": 2}]})  # type: ignore[typeddict-item]
    read.look()
    for name, attempt in [("started", 1), ("retrying", 1), ("started", 2), ("completed", 2)]:
        read.take(event(name, 1, attempt))
        read.look()
    assert read.finish()
    assert sorted(told) == [(1, "out", b"first"), (1, "out", b"second")]


def test_a_conductor_that_is_away_is_asked_again_from_where_it_was(told) -> None:
    paper = Paper({(1, 1, "out"): b"".join(b"line %d\n" % n for n in range(20))})
    read = reader(paper, told)
    read.take(event("started", 1, 1))
    paper.away = 2
    read.look()
    paper.over.add((1, 1))
    paper.away = 1
    read.take(event("completed", 1, 1))
    assert read.finish()
    assert [line for _, _, line in told] == [b"line %d" % n for n in range(20)]


def test_an_attempt_whose_end_no_event_tells_is_told_too(told) -> None:
    paper = Paper({(3, 1, "out"): b"said\nno more"})
    read = reader(paper, told)
    read.take(event("started", 3, 1))
    read.look()
    assert (3, "out", b"no more") not in told
    paper.over.add((3, 1))
    assert read.finish()
    assert told == [(3, "out", b"said"), (3, "out", b"no more")]

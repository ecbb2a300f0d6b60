"""A job of more sheets than a message holds is explained page by page, and a few of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from handler_stage import Desk, desk_in

from actors import Future
from marianne.daemon.jobs.explain import PAGE, SHEETS_EXPLAINED, Explain
from marianne.daemon.shared.refusal import Refused
from marianne.daemon.shared.start_delays import StartDelays
from marianne.schedule.entries import SchedulerStats

SHEETS = 60_000


class Asked:
    """A paused or running job of 60,000 sheets, and what is asked about it."""

    def __init__(self, desk: Desk, state: str = "running", ended: int = 0) -> None:
        self.pages: list[tuple[int, int]] = []
        self.scheduler: list[int] = []
        self.waits: dict[int, str] = {}
        self._system, self._state, self._ended = desk.system, state, ended
        context: Any = SimpleNamespace(
            job=lambda job_id: SimpleNamespace(call=lambda method: self._told({})),
            scheduler=SimpleNamespace(call=self._explain),
            backpressure=SimpleNamespace(should_accept_job=lambda: True),
            storage=desk.context.storage,
            start_delays=StartDelays(),
            executor=SimpleNamespace(waits=lambda job_id: self.waits),
        )
        manager: Any = SimpleNamespace(turns=self, context=context, live={})
        none: Any = SimpleNamespace(get=lambda _live: None)
        self.explain = Explain(manager, none, self._status, none.get)

    def promise(self) -> Any:
        self.answer: Future[Any] = Future(self._system, "client", None, None)
        return SimpleNamespace(set=self.answer.answer, fail=self.answer.refuse)

    def pipe(self, future: Future[Any], method: Callable[..., None], *args: Any) -> None:
        future.on_done(lambda done: method(done.outcome(), *args))

    def _told(self, value: Any) -> Future[Any]:
        future: Future[Any] = Future(self._system, "told", None, None)
        future.answer(value)
        return future

    def _explain(self, method: Any, job_id: str, nums: list[int]) -> Future[Any]:
        self.scheduler = nums
        why = {num: {"code": "total_limit", "text": "all slots are taken"} for num in nums}
        return self._told((why, SchedulerStats(1, 1, 1, {}, {})))

    def _status(self, job_id: str, first: int, last: int) -> Future[Any]:
        self.pages.append((first, last))
        open_ = SHEETS - self._ended - 1
        sheets = [
            {
                "num": num,
                "name": f"s{num}",
                "status": "completed" if num <= self._ended else "ready",
                "error": None,
            }
            for num in range(first, min(last, SHEETS) + 1)
        ]
        if first <= self._ended + 1 <= last and self._ended + 1 <= SHEETS:
            sheets[self._ended + 1 - first]["status"] = "running"
        progress = {"total": SHEETS, "pending": open_, "running": 1, "completed": self._ended}
        top: dict[str, Any] = {"job_id": job_id, "status": self._state, "reason": "person"}
        top |= {"error": None, "progress": progress}
        return self._told({**top, "sheets": sheets})


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with desk_in(tmp_path) as desk:
        yield desk


def test_a_hundred_sheets_are_explained_and_the_rest_is_counted(desk: Desk) -> None:
    asked = Asked(desk)
    asked.explain.job("a")
    told = asked.answer.get(5.0)
    assert (told["code"], len(told["sheets"]), told["more"]) == ("running", 100, 59_899)
    assert asked.pages == [(1, PAGE)], "no more is looked at than is told"
    assert len(asked.scheduler) == SHEETS_EXPLAINED
    assert {sheet["code"] for sheet in told["sheets"]} == {"total_limit"}


def test_a_sheet_that_was_granted_and_waits_for_a_node_is_explained(desk: Desk) -> None:
    asked = Asked(desk)
    asked.waits[1] = "no node is called fast"
    asked.explain.job("a")
    first = asked.answer.get(5.0)["sheets"][0]
    assert (first["num"], first["status"], first["code"]) == (1, "running", "node")
    assert first["text"] == "it waits for a node: no node is called fast"


def test_pages_are_turned_until_there_is_something_to_explain(desk: Desk) -> None:
    asked = Asked(desk, ended=2 * PAGE + 1)
    asked.explain.job("a")
    told = asked.answer.get(5.0)
    assert [first for first, _ in asked.pages] == [1, PAGE + 1, 2 * PAGE + 1]
    assert told["sheets"][0]["num"] == 2 * PAGE + 3


def test_a_job_whose_sheets_have_all_ended_is_looked_through_once(desk: Desk) -> None:
    asked = Asked(desk, state="completed", ended=SHEETS)
    asked.explain.job("a")
    told = asked.answer.get(5.0)
    assert (told["code"], told["sheets"], told["more"]) == ("ended", [], 0)
    assert len(asked.pages) == SHEETS // PAGE


def test_one_sheet_is_asked_for_alone_and_one_that_is_none_is_refused(desk: Desk) -> None:
    asked = Asked(desk)
    asked.explain.job("a", SHEETS)
    assert [sheet["num"] for sheet in asked.answer.get(5.0)["sheets"]] == [SHEETS]
    asked.explain.job("a", SHEETS + 1)
    with pytest.raises(Refused, match="sheets 1 to 60000, not 60001"):
        asked.answer.get(5.0)
    assert asked.pages == [(SHEETS, SHEETS), (SHEETS + 1, SHEETS + 1)]

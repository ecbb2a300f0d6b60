"""What a worker is told again when the link was cut."""

from __future__ import annotations

from typing import Any

from marianne.executors.outbox import Outbox
from marianne.model.plan import Growth


def run(*nums: int, ahead: bool = False) -> dict[str, Any]:
    sheets = [{"num": num, "attempt": 1, "ahead": ahead} for num in nums]
    return {"kind": "run", "slots": 2, "sheets": sheets}


def hello(**says: Any) -> dict[str, Any]:
    return {"running": [], "queued": [], "ended": [], "unacked": []} | says


def nums(messages: list[dict[str, Any]]) -> list[int]:
    return [sheet["num"] for message in messages for sheet in message["sheets"]]


def test_a_grant_that_the_process_does_not_know_is_told_again() -> None:
    untaken = Outbox()
    untaken.run(run(1, 2, 3, 4, 5))
    untaken.heard([], [[1, 1, 0.0]])
    untaken.heard([{"num": 2, "attempt": 1}])
    (again,) = untaken.again(hello(running=[[3, 1]], unacked=[{"num": 4, "attempt": 1}]))
    assert again == run(5)
    assert untaken.again(hello(running=[[5, 1]])) == []


def test_what_was_asked_back_is_not_told_again() -> None:
    untaken = Outbox()
    untaken.run(run(1))
    untaken.run(run(2, ahead=True))
    untaken.withdraw()
    (one, withdraw) = untaken.again(hello())
    assert (nums([one]), withdraw) == ([1], {"kind": "withdraw"})
    untaken.withdrawn()
    assert untaken.again(hello(running=[[1, 1]])) == []


def test_a_sheet_that_goes_on_is_ended_again() -> None:
    untaken = Outbox()
    cancel = {"kind": "cancel", "sheets": [1, 2], "category": "cancelled", "grace": 1.0}
    untaken.cancel(cancel)
    untaken.heard([{"num": 1, "attempt": 1}])
    assert untaken.again(hello(running=[[1, 2], [2, 1]])) == [{**cancel, "sheets": [2]}]


def test_the_end_of_an_earlier_attempt_is_not_that_which_was_asked_for() -> None:
    """It is told until it is acknowledged, and that may be lost with the connection, too."""
    earlier = {"num": 1, "attempt": 1}
    cancel = {"kind": "cancel", "sheets": [1], "category": "cancelled", "grace": 1.0}
    untaken = Outbox()
    untaken.run({"kind": "run", "slots": 1, "sheets": [{"num": 1, "attempt": 2, "ahead": False}]})
    untaken.cancel(cancel)
    untaken.heard([earlier])
    assert [m["kind"] for m in untaken.again(hello(unacked=[earlier]))] == ["run", "cancel"]
    assert untaken.again(hello(running=[[1, 2]], unacked=[earlier])) == [cancel]
    untaken.heard([{"num": 1, "attempt": 2}])
    assert not untaken.ending


def test_of_a_process_that_was_taken_over_it_is_known_by_what_runs() -> None:
    cancel = {"kind": "cancel", "sheets": [1], "category": "cancelled", "grace": 1.0}
    untaken = Outbox()
    untaken.cancel(cancel)
    says = hello(running=[[1, 2]], unacked=[{"num": 1, "attempt": 1}])
    assert untaken.again(says) == [cancel]


def test_a_grant_and_its_end_that_are_both_lost_are_both_told_again() -> None:
    untaken = Outbox()
    untaken.run(run(1))
    untaken.cancel({"kind": "cancel", "sheets": [1], "category": "cancelled", "grace": 1.0})
    assert [message["kind"] for message in untaken.again(hello())] == ["run", "cancel"]


def test_a_job_that_starts_anew_goes_by_what_the_process_says() -> None:
    untaken = Outbox()
    untaken.run(run(1))
    untaken.clear()
    assert untaken.again(hello()) == []


def test_what_a_list_has_added_is_told_again_before_all_else() -> None:
    untaken = Outbox()
    (grown,) = untaken.grow([Growth(1, 4, ("a",), ("s[a]",))])
    untaken.run(run(4))
    assert [message["kind"] for message in untaken.again(hello())] == ["grow", "run"]
    assert untaken.again(hello(running=[[4, 1]])) == [grown]
    untaken.clear()
    assert untaken.again(hello()) == []


def test_a_hold_that_was_lost_is_told_again_and_none_that_is_known() -> None:
    outbox = Outbox()
    hello = {"running": [], "unacked": []}
    assert outbox.again(hello) == []
    assert outbox.hold(True) == {"kind": "hold", "on": True}
    assert outbox.again(hello) == [{"kind": "hold", "on": True}]
    assert outbox.again({**hello, "held": True}) == []
    outbox.hold(False)
    assert outbox.again({**hello, "held": True}) == [{"kind": "hold", "on": False}]
    outbox.clear()
    assert outbox.again({**hello, "held": True}) == []

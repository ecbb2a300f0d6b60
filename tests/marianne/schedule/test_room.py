"""Who is admitted when memory is short, and that nobody waits for ever."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from marianne.schedule.pressure import ResourceEstimate
from marianne.schedule.room import (
    LOOK_AHEAD,
    MAX_OVERTAKEN,
    Candidate,
    Room,
    admit,
    free_memory,
    needs,
)


def names(found: list[Candidate]) -> list[str]:
    return [one.job_id for one in found]


def test_a_job_that_does_not_fit_is_held_and_others_go_past() -> None:
    waiting = [Candidate("big", 300.0), Candidate("small", 100.0), Candidate("new", None)]
    admitted, held = admit(waiting, Room(places=5, free_mb=200.0, running=1))
    assert (names(admitted), names(held)) == (["small", "new"], ["big"])
    assert held[0].overtaken == 2


def test_what_is_admitted_takes_its_memory_from_the_next() -> None:
    waiting = [Candidate("a", 150.0), Candidate("b", 100.0)]
    admitted, held = admit(waiting, Room(5, 200.0, 1))
    assert (names(admitted), names(held)) == (["a"], ["b"])


def test_alone_even_the_impossible_runs() -> None:
    waiting = [Candidate("a", 9000.0), Candidate("b", 9000.0)]
    admitted, held = admit(waiting, Room(5, 200.0, running=0))
    assert (names(admitted), names(held)) == (["a"], ["b"])


def test_only_so_many_go_past_a_job_that_waits() -> None:
    big = Candidate("big", 300.0)
    for n in range(MAX_OVERTAKEN):
        assert names(admit([big, Candidate(f"s{n}")], Room(5, 200.0, 1))[0]) == [f"s{n}"]
    assert admit([big, Candidate("late")], Room(5, 200.0, 1)) == ([], [big])
    assert names(admit([big, Candidate("late")], Room(5, 300.0, 1))[0]) == ["big", "late"]


def test_places_bound_the_admitted_and_a_decision_its_look() -> None:
    assert len(admit([Candidate(f"{n}") for n in range(9)], Room(2, 0.0, 1))[0]) == 2
    waiting = [Candidate(f"{n}", 300.0) for n in range(1000)]
    assert len(admit(waiting, Room(5, 200.0, 1))[1]) == LOOK_AHEAD


def test_an_estimate_that_is_not_trusted_holds_nobody() -> None:
    assert needs(ResourceEstimate(300.0, 1.0, 0.2)) is None
    assert needs(ResourceEstimate(300.0, 1.0, 0.5)) == 300.0
    assert needs(None) is None


def test_free_is_what_is_neither_used_nor_expected() -> None:
    assert free_memory(used_mb=300.0, limit_mb=1000.0, expected_mb=100.0) == 400.0


@given(
    sizes=st.lists(st.one_of(st.none(), st.floats(1.0, 2000.0)), min_size=1, max_size=40),
    places=st.integers(1, 4),
)
def test_every_job_is_admitted_however_many_come_after_it(
    sizes: list[float | None], places: int
) -> None:
    limit, running = 1000.0, dict[str, float]()
    waiting = [Candidate(f"{n}", size) for n, size in enumerate(sizes)]
    for late in range(100 * len(sizes)):
        if not any(one.job_id.isdigit() for one in waiting):
            return
        free = free_memory(sum(running.values()), limit, 0.0)
        room = Room(places - len(running), free, len(running))
        admitted, _ = admit(waiting, room)
        waiting = [one for one in waiting if one not in admitted]
        running |= {one.job_id: one.needs_mb or 0.0 for one in admitted}
        # One that runs ends, the oldest first; a small one comes in.
        if running:
            del running[next(iter(running))]
        waiting.append(Candidate(f"late{late}"))
    raise AssertionError(f"never admitted: {waiting[0]}")

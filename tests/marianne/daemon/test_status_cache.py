"""Answers to job.status are kept until their job changes, and never an old one."""

from __future__ import annotations

from marianne.daemon.shared.status_cache import KEPT_BYTES, Packed, StatusCache

ANSWER, OTHER = Packed(b"answer"), Packed(b"other")


def shelf_with(*job_ids: str) -> StatusCache:
    shelf = StatusCache()
    for job_id in job_ids:
        shelf.keep(shelf.mark(), job_id, 1, 10, ANSWER)
    return shelf


def test_what_was_kept_is_found_under_its_sheets_only() -> None:
    shelf = shelf_with("a")
    assert shelf.find("a", 1, 10) is ANSWER
    assert shelf.find("a", 1, 11) is None
    assert shelf.find("b", 1, 10) is None


def test_a_change_drops_all_answers_of_its_job_alone() -> None:
    shelf = shelf_with("a", "b")
    shelf.keep(shelf.mark(), "a", 11, 20, OTHER)
    shelf.drop("a")
    assert shelf.find("a", 1, 10) is None
    assert shelf.find("a", 11, 20) is None
    assert shelf.find("b", 1, 10) is ANSWER


def test_an_answer_that_was_looked_up_before_a_change_is_not_kept() -> None:
    shelf = StatusCache()
    mark = shelf.mark()
    shelf.drop("a")
    shelf.keep(mark, "a", 1, 10, ANSWER)
    assert shelf.find("a", 1, 10) is None


def test_a_newer_answer_replaces_the_older() -> None:
    shelf = shelf_with("a")
    shelf.keep(shelf.mark(), "a", 1, 10, OTHER)
    assert shelf.find("a", 1, 10) is OTHER


def test_of_too_many_the_oldest_go() -> None:
    large = Packed(b"x" * (KEPT_BYTES // 3))
    shelf = StatusCache()
    for job_id in "abcd":
        shelf.keep(shelf.mark(), job_id, 1, 10, large)
    assert [job_id for job_id in "abcd" if shelf.find(job_id, 1, 10)] == ["b", "c", "d"]


def test_dropped_answers_take_no_space() -> None:
    large = Packed(b"x" * (KEPT_BYTES // 2))
    shelf = StatusCache()
    for _ in range(5):
        shelf.keep(shelf.mark(), "a", 1, 10, large)
        shelf.drop("a")
    shelf.keep(shelf.mark(), "b", 1, 10, large)
    shelf.keep(shelf.mark(), "c", 1, 10, large)
    assert shelf.find("b", 1, 10) is large

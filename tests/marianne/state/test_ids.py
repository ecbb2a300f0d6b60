"""Ids come from names, are legal whatever the name, and are found free in few looks."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from statekit import job

from marianne.state.database import Database
from marianne.state.ids import LONGEST, from_name, is_legal, next_free
from marianne.state.reader import Reader


@pytest.mark.parametrize(
    ("name", "job_id"),
    [
        ("build", "build"),
        ("Build all, then test!", "Build-all-then-test"),
        ("../../etc/passwd", "etc-passwd"),
        ("_hidden", "hidden"),
        ("été", "t"),
        ("日本", "job"),
        ("", "job"),
        ("x" * 100, "x" * 63),
    ],
)
def test_a_name_becomes_an_id(name: str, job_id: str) -> None:
    assert from_name(name) == job_id


@given(st.text(max_size=100))
def test_every_name_becomes_a_legal_id(name: str) -> None:
    assert is_legal(from_name(name))


@pytest.mark.parametrize("text", ["", "-a", "_a", "a/b", "a b", "a.b", "a\n", "é", "x" * 64])
def test_what_is_no_id(text: str) -> None:
    assert not is_legal(text)


def test_the_wanted_id_then_the_next_numbers() -> None:
    taken: set[str] = set()
    for expected in ("a", "a-2", "a-3", "a-4", "a-5"):
        found = next_free("a", taken.__contains__)
        assert found == expected
        taken.add(found)


@given(st.sets(st.integers(2, 60)), st.integers(LONGEST - 3, LONGEST))
def test_a_free_id_is_legal_and_free_whatever_people_chose(chosen: set[int], length: int) -> None:
    wanted = "x" * length
    taken = {wanted} | {f"{wanted[: LONGEST - len(f'-{n}')]}-{n}" for n in chosen}
    found = next_free(wanted, taken.__contains__)
    assert found not in taken
    assert is_legal(found)


def test_ten_thousand_jobs_of_one_name_cost_few_looks() -> None:
    looks = 0

    def taken(job_id: str) -> bool:
        nonlocal looks
        looks += 1
        return job_id == "a" or int(job_id[2:]) <= 10_000

    assert next_free("a", taken) == "a-10001"
    assert looks < 40


def test_ids_of_deleted_jobs_stay_taken(database: Database, reader: Reader) -> None:
    database.write([job("a"), job("a-2")])
    assert next_free("a", reader.taken) == "a-3"

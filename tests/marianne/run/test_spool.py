"""The spool keeps what was appended, whatever its end looks like."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marianne.model.result import AttemptResult
from marianne.run.spool import Spool, read_spool


def result(num: int, **more: Any) -> dict[str, Any]:
    return AttemptResult(num, 1, "completed", 1.0, 2.0).to_map() | more


def fill(path: Path, count: int) -> Spool:
    spool = Spool(str(path))
    for num in range(1, count + 1):
        spool.append(result(num))
    return spool


def test_serials_count_up_and_go_on_after_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "spool"
    fill(path, 2).close()
    spool = Spool(str(path))
    assert spool.append(result(3))["serial"] == 3
    assert [r["serial"] for r in spool.unacked] == [1, 2, 3]
    spool.close()


def test_acknowledged_results_are_offered_no_more(tmp_path: Path) -> None:
    spool = fill(tmp_path / "spool", 3)
    spool.ack([1, 3, 99])
    assert [r["num"] for r in spool.unacked] == [2]
    spool.close()


def test_a_missing_spool_holds_nothing(tmp_path: Path) -> None:
    assert read_spool(str(tmp_path / "none")) == []


@pytest.mark.slow
@given(cut=st.integers(0, 120), noise=st.binary(max_size=40))
def test_a_torn_or_damaged_tail_costs_only_itself(
    tmp_path_factory: pytest.TempPathFactory, cut: int, noise: bytes
) -> None:
    path = tmp_path_factory.mktemp("torn") / "spool"
    fill(path, 3).close()
    whole = path.read_bytes()
    size = len(whole) // 3
    path.write_bytes(whole[:cut] + noise)
    kept = [r["num"] for r in read_spool(str(path))]
    assert kept[: min(3, cut // size)] == list(range(1, min(3, cut // size) + 1))
    spool = Spool(str(path))
    spool.append(result(77))
    spool.close()
    assert [r["num"] for r in read_spool(str(path))] == [*kept, 77]


def test_confirmed_results_do_not_fill_the_disk(tmp_path: Path) -> None:
    path = tmp_path / "spool"
    spool = Spool(str(path))
    for _ in range(200):
        last = spool.append(result(1, message="x" * 10_000))
        spool.ack([last["serial"] - 1])
    assert path.stat().st_size < 1_000_000
    assert [r["serial"] for r in read_spool(str(path))][-1] == 200
    spool.ack([200])
    spool.append(result(2))
    assert read_spool(str(path))[-1]["serial"] == 201
    spool.close()


def test_what_began_and_has_no_result_is_known_after_a_crash(tmp_path: Path) -> None:
    path = tmp_path / "spool"
    spool = Spool(str(path))
    for num in (1, 2, 3):
        spool.begin(num, 1, float(num))
    spool.append(result(2))
    spool.begin(2, 2, 4.0)
    spool.close()
    again = Spool(str(path))
    assert again.unfinished == [(1, 1, 1.0), (3, 1, 3.0), (2, 2, 4.0)]
    assert [r["num"] for r in again.unacked] == [r["num"] for r in read_spool(str(path))] == [2]
    again.close()


def test_a_long_attempt_is_known_though_the_spool_was_made_shorter(tmp_path: Path) -> None:
    path = tmp_path / "spool"
    spool = Spool(str(path))
    spool.begin(1, 1, 0.0)
    for _ in range(200):
        last = spool.append({"num": 2, "attempt": 1, "message": "x" * 10_000})
        spool.ack([last["serial"]])
    assert path.stat().st_size < 1_000_000
    spool.close()
    again = Spool(str(path))
    assert again.unfinished == [(1, 1, 0.0)]
    again.close()


def test_the_spool_is_ours_alone(tmp_path: Path) -> None:
    fill(tmp_path / "spool", 1).close()
    assert os.stat(tmp_path / "spool").st_mode & 0o777 == 0o600


def a_fifo(path: Path) -> None:
    os.mkfifo(path)


def a_directory(path: Path) -> None:
    path.mkdir()
    (path / "x").touch()


def a_link(path: Path) -> None:
    path.with_name("else").write_text("precious")
    path.symlink_to(path.with_name("else"))


@pytest.mark.parametrize("make", [a_fifo, a_directory, a_link])
def test_what_is_no_file_of_ours_is_set_aside(
    tmp_path: Path, make: Callable[[Path], None], capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "spool"
    make(path)
    assert read_spool(str(path)) == []
    spool = Spool(str(path))
    spool.append(result(1))
    spool.close()
    assert [r["num"] for r in read_spool(str(path))] == [1]
    assert len(list(tmp_path.glob("spool.aside-*"))) == 1
    assert "set aside" in capfd.readouterr().err
    assert not path.with_name("else").exists() or path.with_name("else").read_text() == "precious"


STRANGE: list[dict[str, Any]] = [
    {"num": "one", "attempt": 1},
    {"begun": [1, "x", 2.0]},
    {"begun": 7},
    {"serial": [1]},
    result(9, serial="x"),
    result(9, usage={"cost_usd": float("nan")}),
]


@pytest.mark.parametrize("record", STRANGE, ids=repr)
def test_records_that_we_would_not_write_are_kept_aside_and_the_others_count(
    tmp_path: Path, record: dict[str, Any], capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "spool"
    spool = fill(path, 1)
    spool._write(record)
    spool.append(result(2))
    spool.close()
    assert [r["num"] for r in read_spool(str(path))] == [1, 2]
    again = Spool(str(path))
    assert [r["num"] for r in again.unacked] == [1, 2]
    assert again.unfinished == []
    again.close()
    assert "kept as" in capfd.readouterr().err
    Spool(str(path)).close()
    assert capfd.readouterr().err == ""

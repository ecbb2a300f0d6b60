"""The order to stop is on disk or not there; the higher one stays; whose it is can be told."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from marianne.run import stop_order


def test_an_order_is_read_as_it_was_left(tmp_path: Path) -> None:
    mark = stop_order.mark_of(os.getpid())
    stop_order.leave(tmp_path, "drain", mark, 12.5)
    order = stop_order.read(tmp_path)
    assert order is not None
    assert (order.mode, order.heart, order.until) == ("drain", mark, 12.5)
    assert os.listdir(tmp_path) == [stop_order.NAME]


@pytest.mark.parametrize(
    ("first", "second", "left"),
    [
        ("drain", "stop", "stop"),
        ("stop", "drain", "stop"),
        ("stop", "force", "force"),
        ("cancel", "force", "cancel"),
        ("force", "cancel", "cancel"),
    ],
)
def test_of_two_orders_the_higher_one_stays(
    tmp_path: Path, first: str, second: str, left: str
) -> None:
    stop_order.leave(tmp_path, first, "")
    stop_order.leave(tmp_path, second, "")
    order = stop_order.read(tmp_path)
    assert order is not None
    assert order.mode == left


def test_what_a_drain_interrupted_stands_in_its_place(tmp_path: Path) -> None:
    stop_order.leave(tmp_path, "drain", "")
    stop_order.finish(tmp_path, ["job 1 a name"])
    order = stop_order.read(tmp_path)
    assert order is not None
    assert (order.mode, order.lines) == (stop_order.DONE, ["job 1 a name"])
    stop_order.withdraw(tmp_path)
    stop_order.withdraw(tmp_path)
    assert stop_order.read(tmp_path) is None


@pytest.mark.parametrize("content", ["", "stop", "stop\n\nsoon\n", "fly\n\n\n", "\0\xff\n\n\n"])
def test_what_is_no_order_is_none(tmp_path: Path, content: str) -> None:
    (tmp_path / stop_order.NAME).write_text(content)
    assert stop_order.read(tmp_path) is None


def test_a_heart_that_is_gone_has_no_mark() -> None:
    assert stop_order.mark_of(None) == ""
    assert stop_order.mark_of(2**22 - 1) == ""

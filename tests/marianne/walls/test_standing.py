"""Which walls stand for what is asked, and what is missing."""

from __future__ import annotations

import pytest

from marianne.walls.asked import Sandbox, stricter
from marianne.walls.offers import Offers
from marianne.walls.standing import refusal, standing

ALL = Offers(7, pids=True, mounts=True, proc=True, network=True, needs_user=False, why={})
NOTHING = Offers(0, pids=False, mounts=False, proc=False, network=False, needs_user=True, why={})
LANDLOCK = NOTHING._replace(landlock=7)
MOUNTS = ALL._replace(landlock=0)

WRITE = Sandbox(write=("workspace",))
READ = Sandbox(read=("workspace",))
OFFLINE = Sandbox(network=False)
PRIVATE = Sandbox(tmp="private")
ISOLATED = Sandbox(isolate=True)


@pytest.mark.parametrize(
    ("asked", "offers", "walls"),
    [
        (WRITE, ALL, ("write",)),
        (WRITE, MOUNTS, ("write",)),
        (READ, ALL, ("read",)),
        (READ, LANDLOCK, ("read",)),
        (OFFLINE, ALL, ("network",)),
        (OFFLINE, MOUNTS, ("network",)),
        (PRIVATE, MOUNTS, ("tmp",)),
        (ISOLATED, MOUNTS, ("isolate",)),
        (stricter(WRITE, stricter(OFFLINE, ISOLATED)), ALL, ("write", "network", "isolate")),
    ],
)
def test_what_is_there_stands_whole(asked: Sandbox, offers: Offers, walls: tuple[str, ...]) -> None:
    found = standing(asked, offers)
    assert found.walls == walls
    assert refusal(asked, found) is None


@pytest.mark.parametrize(
    ("asked", "offers", "walls", "word"),
    [
        (WRITE, LANDLOCK, ("write (contents alone)",), "modes, owners and times"),
        (WRITE, NOTHING._replace(landlock=2), (), "Landlock is of version 2"),
        (WRITE, NOTHING, (), "'write'"),
        (READ, MOUNTS, (), "'read'"),
        (OFFLINE, LANDLOCK, ("network (TCP alone)",), "UDP not"),
        (OFFLINE, NOTHING, (), "'network'"),
        (PRIVATE, LANDLOCK, (), "'tmp: private'"),
        (ISOLATED, LANDLOCK, (), "no pid namespace"),
        (ISOLATED, ALL._replace(mounts=False), ("isolate (the home is open)",), "no mount"),
    ],
)
def test_what_is_missing_or_stands_in_part_refuses_unless_best_effort_is_enough(
    asked: Sandbox, offers: Offers, walls: tuple[str, ...], word: str
) -> None:
    found = standing(asked, offers)
    assert found.walls == walls
    assert word in (refusal(asked, found) or "")
    lenient = Sandbox(
        asked.write, asked.read, asked.network, asked.tmp, asked.isolate, "best-effort"
    )
    assert refusal(lenient, standing(lenient, offers)) is None
    assert standing(lenient, offers).missing == found.missing


def test_who_asks_for_nothing_gets_nothing() -> None:
    found = standing(Sandbox(), ALL)
    assert not Sandbox().restricts
    assert (found.walls, found.missing) == ((), ())
    assert not (found.pids)
    assert not (found.mounts)
    assert not (found.network)


@pytest.mark.parametrize(
    ("above", "below", "write"),
    [
        (None, ("workspace",), ("workspace",)),
        (("workspace", "~/.cache"), ("workspace",), ("workspace",)),
        (("workspace",), ("workspace", "~/.cache"), ("workspace",)),
        (("/data",), ("/data/one", "/other"), ("/data/one",)),
        (("/data/one",), ("/data",), ("/data/one",)),
        (("/data",), ("/database",), ()),
        (("workspace",), ("out",), ("out",)),
        (("workspace",), ("../out",), ()),
    ],
)
def test_of_two_lists_there_stays_what_lies_in_both(
    above: tuple[str, ...] | None, below: tuple[str, ...], write: tuple[str, ...]
) -> None:
    merged = stricter(Sandbox(write=above), Sandbox(write=below))
    assert merged is not None
    assert merged.write == write


def test_nothing_that_is_forbidden_above_is_allowed_below() -> None:
    above = Sandbox(network=False, tmp="private", isolate=True, when_missing="required")
    merged = stricter(above, Sandbox(when_missing="best-effort"))
    assert merged == above
    assert stricter(None, above) is stricter(above, None) is above

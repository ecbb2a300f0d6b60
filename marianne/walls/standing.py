"""What is asked and what is offered: which walls stand, and what is missing."""

from __future__ import annotations

from typing import NamedTuple

from marianne.walls import landlock
from marianne.walls.asked import Sandbox
from marianne.walls.offers import Offers


class Standing(NamedTuple):
    """The means that are used, the walls that they make, in words, and what is missing of what is
    asked, a sentence each. A wall that stands only in part is among both."""

    landlock: int
    pids: bool
    mounts: bool
    proc: bool
    network: bool
    walls: tuple[str, ...]
    missing: tuple[str, ...]


def standing(asked: Sandbox, offers: Offers) -> Standing:
    """Each wall by the best means there is."""
    walls: list[str] = []
    missing: list[str] = []
    for one in (_write(asked, offers), _read(asked, offers), _network(asked, offers)):
        _note(one, walls, missing)
    if asked.tmp == "private":
        lack = "" if offers.mounts else f"'tmp: private': no mount namespace: {_why(offers)}"
        _note(("" if lack else "tmp", lack), walls, missing)
    if asked.isolate:
        _note(_isolate(offers), walls, missing)
    return Standing(
        landlock=offers.landlock,
        pids=asked.isolate and offers.pids,
        mounts=offers.mounts
        and (asked.write is not None or asked.tmp == "private" or asked.isolate),
        proc=offers.proc,
        network=not asked.network and offers.network,
        walls=tuple(walls),
        missing=tuple(missing),
    )


def refusal(asked: Sandbox, stands: Standing) -> str | None:
    """Why it cannot run here; None if it can."""
    if not stands.missing or asked.when_missing == "best-effort":
        return None
    return "; ".join(stands.missing)


_Wall = tuple[str, str]
"""The wall that stands, and what is missing; either may be empty."""


def _note(wall: _Wall, walls: list[str], missing: list[str]) -> None:
    if wall[0]:
        walls.append(wall[0])
    if wall[1]:
        missing.append(wall[1])


def _write(asked: Sandbox, offers: Offers) -> _Wall:
    if asked.write is None:
        return "", ""
    if offers.mounts:
        return "write", ""
    if offers.landlock >= landlock.WRITE_ABI:
        lack = "'write': modes, owners and times of files are not covered without a mount namespace"
        return "write (contents alone)", f"{lack}: {_why(offers)}"
    return "", f"'write': no mount namespace: {_why(offers)}; and {_old_landlock(offers, 3)}"


def _read(asked: Sandbox, offers: Offers) -> _Wall:
    if asked.read is None:
        return "", ""
    if offers.landlock:
        return "read", ""
    return "", f"'read': no Landlock: {offers.why.get('landlock', 'unknown')}"


def _network(asked: Sandbox, offers: Offers) -> _Wall:
    if asked.network:
        return "", ""
    if offers.network:
        return "network", ""
    why = offers.why.get("network", "unknown")
    if offers.landlock >= landlock.NETWORK_ABI:
        lack = "'network': only TCP can be closed, UDP not, without a network namespace"
        return "network (TCP alone)", f"{lack}: {why}"
    return "", f"'network': no network namespace: {why}; and {_old_landlock(offers, 4)}"


def _isolate(offers: Offers) -> _Wall:
    if not offers.pids:
        return "", f"'isolate': no pid namespace: {offers.why.get('pids', 'unknown')}"
    if not offers.mounts:
        return "isolate (the home is open)", f"'isolate': no mount namespace: {_why(offers)}"
    return "isolate", ""


def _why(offers: Offers) -> str:
    return offers.why.get("mounts", "unknown")


def _old_landlock(offers: Offers, needed: int) -> str:
    if not offers.landlock:
        return f"no Landlock: {offers.why.get('landlock', 'unknown')}"
    return f"Landlock is of version {offers.landlock}, {needed} is needed: a newer kernel has it"

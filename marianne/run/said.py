"""What a worker process says to the conductor: checked once, where it comes in."""

from __future__ import annotations

from typing import Any

from marianne.run.acceptable import UnacceptableError, acceptable, count, moment, texts

LISTED = 1_000_000
"""Sheets in one list: a job has fewer."""


def said(message: Any) -> dict[str, Any]:
    """The message with what can be used of it. Raises UnacceptableError if nothing can.

    A result that makes no sense becomes a failed one that says so (see ``acceptable``): it would be
    sent again for ever, and its sheet would never end.
    """
    kind = message.get("kind") if type(message) is dict else None
    if kind == "results":
        return {
            "kind": kind,
            "results": _results(message.get("results")),
            "started": _started(message.get("started")),
        }
    if kind == "hello":
        return {
            "kind": kind,
            "round": _number(message.get("round", 0), "round"),
            "running": _attempts(message.get("running"), "running"),
            "queued": _attempts(message.get("queued", []), "queued"),
            "ended": _attempts(message.get("ended", []), "ended"),
            "unacked": _results(message.get("unacked")),
            "held": message.get("held") is True,
        }
    if kind == "withdrawn":
        return {"kind": kind, "sheets": _attempts(message.get("sheets"), "sheets")}
    if kind == "bye":
        return {"kind": kind}
    raise UnacceptableError(f"kind is one of results, hello, withdrawn, bye, not {kind!r:.80}")


def _list(value: Any, name: str) -> list[Any]:
    if type(value) is not list or len(value) > LISTED:
        raise UnacceptableError(f"{name} is a list, not {value!r:.80}")
    return value


def _number(value: Any, name: str) -> int:
    if not count(value):
        raise UnacceptableError(f"{name} is a whole number from 0, not {value!r:.80}")
    return int(value)


def _attempts(value: Any, name: str) -> list[list[int]]:
    """Pairs of a sheet and an attempt."""
    for one in _list(value, name):
        if type(one) is not list or len(one) != 2 or not (_positive(one[0]) and _positive(one[1])):
            raise UnacceptableError(f"{name} has pairs of sheet and attempt, not {one!r:.80}")
    return list(value)


def _started(value: Any) -> list[list[Any]]:
    """Sheet, attempt, when it began (seconds since the epoch), and its walls, which are told where
    it has some; the pid is the worker's own."""
    for one in _list(value, "started"):
        if (
            type(one) is not list
            or len(one) not in (4, 5)
            or not (_positive(one[0]) and _positive(one[1]) and count(one[2]) and moment(one[3]))
            or not all(map(texts, one[4:]))
        ):
            raise UnacceptableError(
                f"started has sheet, attempt, pid, time and walls, not {one!r:.80}"
            )
    return [[num, attempt, at, *(walls or [[]])] for num, attempt, _pid, at, *walls in value]


def _positive(value: Any) -> bool:
    return count(value) and value > 0


def _results(value: Any) -> list[dict[str, Any]]:
    return [acceptable(one) for one in _list(value, "results")]

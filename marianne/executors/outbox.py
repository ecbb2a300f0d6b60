"""What a worker process was told and has not been heard to have taken.

The link may lose a message: its actor crashed, or the connection was cut. The process then says
hello on the next connection, and what it does not know is told again. It takes a grant that it
knows already for an echo, so that nothing runs twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from marianne.model.plan import Growth

Message = dict[str, Any]


class Outbox:
    """Grants until their attempt begins or ends, what was to be ended until it has, and whether
    something is asked back."""

    def __init__(self) -> None:
        self._runs: dict[tuple[int, int], Message] = {}
        self._cancels: dict[int, Message] = {}
        # Attempts, by sheet: the end of an earlier one is not the end that was asked for.
        self._newest: dict[int, int] = {}
        self._growths: list[Message] = []
        self._slots: int | None = None
        self._withdrawing = False
        self._hold: bool | None = None

    def hold(self, on: bool) -> Message:
        """What is to be sent for all to stand still, or to go on."""
        self._hold = on
        return {"kind": "hold", "on": on}

    def grow(self, growths: Iterable[Growth]) -> list[Message]:
        """What is to be sent of these, each by itself: a message has room for one. No hello says
        whether it is known, so it is told again before all else."""
        messages = [{"kind": "grow", **asdict(growth)} for growth in growths]
        self._growths += messages
        return messages

    def run(self, message: Message) -> None:
        """A ``run`` is sent."""
        self._slots = message["slots"]
        for run in message["sheets"]:
            self._runs[run["num"], run["attempt"]] = run
            self._newest[run["num"]] = run["attempt"]

    def cancel(self, message: Message) -> None:
        """A ``cancel`` is sent."""
        for num in message["sheets"]:
            self._cancels[num] = message

    def withdraw(self) -> None:
        """What was granted ahead is asked back: whatever of it is not known need not be."""
        self._runs = {key: run for key, run in self._runs.items() if not run.get("ahead")}
        self._withdrawing = True

    def withdrawn(self) -> None:
        """The process has given it back."""
        self._withdrawing = False

    def heard(self, results: Iterable[Message], started: Iterable[Sequence[Any]] = ()) -> None:
        """Attempts ended, others began."""
        for result in results:
            self._runs.pop((result["num"], result["attempt"]), None)
            if result["attempt"] >= self._newest.get(result["num"], 0):
                self._cancels.pop(result["num"], None)
        for num, attempt, *_ in started:
            self._runs.pop((num, attempt), None)

    @property
    def ending(self) -> bool:
        """Whether something that was to be ended has not been heard to have."""
        return bool(self._cancels)

    def clear(self) -> None:
        """The job actor has started anew, and goes by what the process says."""
        self._growths.clear()
        self._runs.clear()
        self._cancels.clear()
        self._withdrawing = False
        self._hold = None

    def again(self, hello: Mapping[str, Any]) -> list[Message]:
        """What has to be told again to a process that says this."""
        for num, attempt in hello["running"]:
            self._newest[num] = max(attempt, self._newest.get(num, 0))
        known = (sheet for name in ("running", "queued", "ended") for sheet in hello.get(name, ()))
        self.heard(hello["unacked"], known)
        messages: list[Message] = list(self._growths)
        if self._runs:
            sheets = list(self._runs.values())
            messages.append({"kind": "run", "slots": self._slots, "sheets": sheets})
        if self._withdrawing:
            messages.append({"kind": "withdraw"})
        if self._hold is not None and self._hold is not bool(hello.get("held")):
            messages.append(self.hold(self._hold))
        alive = {num for num, _ in (*hello["running"], *self._runs)}
        self._cancels = {num: cancel for num, cancel in self._cancels.items() if num in alive}
        messages += ({**cancel, "sheets": [num]} for num, cancel in self._cancels.items())
        return messages

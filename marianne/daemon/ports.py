"""What rooms below ask of actors above them: one Protocol an actor, only what is asked.

A message is a method of the receiver's class, found by its name; so who sends one up names it here
and imports no room above its own. mypy holds the actors to it: a handle of an actor takes a method
of a Protocol only if the actor's class has that method, with those arguments.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from marianne.executors.protocol import Hearer


class Jobs(Protocol):
    """The manager of all jobs."""

    def counts(self) -> dict[str, int]:
        """How many jobs are admitted and how many are not over at all."""

    def pressure_fell(self) -> None:
        """The level fell, or the state can be written again: what that held back may go on."""

    def pause_for_pressure(self, job_id: str) -> None:
        """This job uses most."""

    def forget(self, chosen: Sequence[str], *, files_alone: bool) -> None:
        """These finished jobs are too many, or just their files too old."""


Ticket = tuple[int, int]
"""Which registration of a job it is: the incarnation of its actor, and how many it made before."""


class Job(Hearer, Protocol):
    """The state machine of an admitted job."""

    def granted(
        self, nums: Sequence[int], ahead: Sequence[int], slots: int, ticket: Ticket | None
    ) -> None:
        """These sheets have a slot each; those ahead may begin as others end. ``ticket`` is that of
        the registration that they were queued by: a later one makes it void."""

    def of_part(self, executor: str, said: str, args: Sequence[Any]) -> None:
        """What one of the job's several runners tells, a method of Hearer by its name."""

    def limit_ended(self, nums: Sequence[int]) -> None:
        """What these sheets wait for was lifted."""

    def end_for_resources(self, num: int) -> None:
        """This sheet alone uses far more than there may be."""


class Rates(Protocol):
    """Who keeps the rate limits."""

    def report(
        self, backend: str, wait_seconds: float, job_id: str, sheet_num: int | None = None
    ) -> None:
        """An instrument refused work."""


class Listener(Protocol):
    """Who owns a socket."""

    def look(self) -> None:
        """Binds again where the socket's file was removed."""

"""What can go wrong between actors, and whose fault it is.

Every error here derives from `ActorError`. Those that derive from `Refusal` are answers: the actor
that raised one while it served an ask goes on living, and the asker gets the error.
"""

# ruff: noqa: N818  # "ActorDied" says more than "ActorDiedError"

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from actors.reasons import ExitReason


class ActorError(Exception):
    """The root of all errors of this package."""


class Refusal(ActorError):
    """A handler says no. The asker gets it; the actor lives on.

    Raise it, or a subclass, for a request that is wrong. Any other exception that leaves a handler
    is a crash of the actor.
    """


class ActorDied(ActorError):
    """The asked actor ended before it answered. Ask again if the request may run twice.

    `serving`: it was this very request that its last method call was for; else the request waited
    for its turn, or for an answer that was promised.
    """

    def __init__(self, name: str, reason: ExitReason, serving: bool = False) -> None:
        super().__init__(f"{name} ended before it answered: {reason}")
        self.name = name
        self.reason = reason
        self.serving = serving


class NoSuchActor(ActorError):
    """Nobody has this name now: never started, ended, or between two incarnations."""

    def __init__(self, name: str) -> None:
        super().__init__(f"no actor is named {name!r} now")
        self.name = name


class NameTaken(ActorError):
    """Somebody has this name. Choose another, or let the owner end first."""

    def __init__(self, name: str, incarnation: int) -> None:
        super().__init__(f"the name {name!r} belongs to incarnation {incarnation}")
        self.name = name
        self.incarnation = incarnation


class AskTimeout(ActorError, TimeoutError):
    """No answer by the deadline. The request was not executed if it had not begun by then."""


class AskCycle(ActorError):
    """This ask would wait for an actor that already waits for the asker. A bug of the design."""

    def __init__(self, path: Sequence[str]) -> None:
        super().__init__("an ask would wait for itself: " + " -> ".join(path))
        self.path = tuple(path)


class MailboxFull(ActorError):
    """The receiver's mailbox is at its limit. Slow down, or drop the message yourself."""


class PoolFull(Refusal):
    """As many jobs wait in this `Pool` as may. Slow down, or do the job yourself."""


class SpecError(Refusal, ValueError):
    """A child spec or a supervisor's option is wrong. The message names the field."""


class StartError(Refusal):
    """An actor did not start: nothing of it is left, and its name is free.

    `reason` says why; `reason.error` is the exception of `__init__` or `on_start`, if it was one.
    """

    def __init__(self, name: str, reason: ExitReason) -> None:
        super().__init__(f"{name} did not start: {reason}")
        self.name = name
        self.reason = reason


class StartIgnored(StartError):
    """`on_start` returned `Ignore()`: the actor chose not to run. This is no failure."""


class ChildError(Refusal):
    """A supervisor refuses an operation on one of its children.

    `code` is one of `not_found`, `running`, `restarting`, `already_present`, `already_started`,
    `max_children`, `not_supported`.
    """

    def __init__(self, code: str, child: str) -> None:
        super().__init__(f"{child}: {code}")
        self.code = code
        self.child = child


class Fenced(BaseException):
    """Ends the thread of a killed incarnation at its next call into this package.

    It derives from BaseException so that a handler's `except Exception` does not keep it alive.
    """

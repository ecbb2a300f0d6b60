"""What a supervisor's state machine wants done, as data, and what it remembers of a child."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from actors.reasons import ExitReason
    from actors.spec import ChildSpec

ReportKind = Literal["crashed", "start_failed", "shutdown_error", "gave_up"]


class Child:
    """One child: `up` with a ref, `down`, or `restarting` (waiting for its next attempt)."""

    __slots__ = (
        *("due", "failures", "key", "last_failure", "last_ref"),
        *("ref", "since", "spec", "state", "token"),
    )

    def __init__(self, spec: ChildSpec, key: str) -> None:
        self.spec = spec
        self.key = key  # what its supervisor finds it by: id, or name in a dynamic one
        self.state: Literal["up", "down", "restarting"] = "down"
        self.ref: Any = None
        self.last_ref: Any = None
        self.since = 0.0
        self.due = 0.0  # when its next attempt may begin
        self.token = 0  # of the one Retry that still counts
        self.failures = 0  # in a row, for the backoff
        self.last_failure: ExitReason | None = None

    def begun(self, outcome: Outcome, now: float) -> None:
        """A start came to `outcome`."""
        self.ref = outcome.ref
        self.state = "down" if outcome.ref is None else "up"
        self.since = now
        if outcome.ref is not None:
            self.last_ref = outcome.ref

    def fails(self) -> float:
        """It waits for its next attempt from now on; returns the seconds that its backoff wants."""
        self.state = "restarting"
        self.token += 1
        backoff = self.spec.backoff
        delay = 0.0 if backoff is None else backoff.delay(self.failures, self.key)
        self.failures += 1
        return delay

    def ended(self) -> None:
        """It is not running, whyever; a pending Retry does not count any more."""
        self.ref = None
        self.state = "down"
        self.token += 1


class Outcome(NamedTuple):
    """What became of a Start: a ref; or none and the reason; or none of both: it ignored."""

    ref: Any = None
    reason: ExitReason | None = None


def failed(outcome: Outcome) -> bool:
    return outcome.reason is not None


def ignored(outcome: Outcome) -> bool:
    return outcome.ref is None and outcome.reason is None


class Start(NamedTuple):
    """Start the child and wait for its acknowledgement. Answered with an Outcome."""

    child: Child
    restart: bool


class Stop(NamedTuple):
    """Stop these at once, wait for the evidence. Answered with their exit reasons, in order."""

    specs: tuple[ChildSpec, ...]
    refs: tuple[Any, ...]


class Retry(NamedTuple):
    """Send yourself a message that calls `retry(child.key, token)`, after `delay` seconds."""

    child: Child
    token: int
    delay: float


class Report(NamedTuple):
    """Say what happened."""

    kind: ReportKind
    child: Child
    reason: ExitReason


class Forget(NamedTuple):
    """The child is no longer one; nothing of it needs to be remembered."""

    child: Child


class Exit(NamedTuple):
    """End the supervisor for this reason."""

    reason: ExitReason


Effect: TypeAlias = Start | Stop | Retry | Report | Forget | Exit

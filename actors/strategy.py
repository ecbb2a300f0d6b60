"""OTP's supervisor as a pure state machine: what to do when a child ends, and in which order.

Nothing here starts, stops or waits. Each operation is a generator that yields effects (data) and is
sent what became of them; `Supervisor` performs them on real actors, a test plays them. The rules
and their order are those of supervisor.erl (OTP 27); deviations: `ExitReason.abnormal`, backoff.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable
from typing import Any

from actors.effects import (
    Child,
    Effect,
    Exit,
    Forget,
    Report,
    Retry,
    Start,
    Stop,
    failed,
    ignored,
)
from actors.errors import ChildError, SpecError, StartError
from actors.outside import shown
from actors.pace import Intensity
from actors.reasons import SHUTDOWN, ExitReason, gave_up
from actors.spec import (
    STRATEGIES,
    AutoShutdown,
    ChildSpec,
    Strategy,
    check_child_specs,
    check_spec,
)

Steps = Generator[Effect, Any, Any]


class StaticChildren:
    """The children of a `Supervisor`, in start order."""

    def __init__(
        self,
        strategy: Strategy,
        specs: Iterable[ChildSpec],
        intensity: int = 3,
        period: float = 5.0,
        auto_shutdown: AutoShutdown = "never",
    ) -> None:
        if strategy not in STRATEGIES:
            raise SpecError(f"strategy is one of {STRATEGIES}, not {shown(strategy)}")
        specs = list(specs) if isinstance(specs, Iterable) else specs
        check_child_specs(specs, auto_shutdown)
        self._strategy = strategy
        self._auto_shutdown = auto_shutdown
        self._intensity = Intensity(intensity, period)
        self.children: dict[str, Child] = {spec.id: Child(spec, spec.id) for spec in specs}
        self._by_ref: dict[Any, Child] = {}

    # -- life --------------------------------------------------------------------------------

    def boot(self, now: float) -> Steps:
        """Starts all, in order. Returns None, or the reason why the supervisor cannot start."""
        error = yield from self._start_all(list(self.children.values()), now)
        if error is None:
            return None
        child, reason = error
        yield Report("start_failed", child, reason)
        yield from self._stop_all(list(self.children.values()))
        return StartError(child.spec.id, reason)

    def shutdown(self) -> Steps:
        """Stops all, the last started first."""
        yield from self._stop_all(list(self.children.values()))

    def down(self, ref: Any, reason: ExitReason, now: float) -> Steps:
        """A child has ended by itself. A ref that is not (any more) a child's means nothing."""
        child = self._by_ref.pop(ref, None)
        if child is None:
            return
        child.ended()
        child.last_failure = reason
        restart = child.spec.restart
        if restart == "permanent" or reason.abnormal:
            yield Report("crashed", child, reason)
        if restart == "permanent" or (restart == "transient" and reason.abnormal):
            backoff = child.spec.backoff
            if backoff is None:
                yield from self._restart(child, reason, now)
            else:
                if backoff.stable(now - child.since):
                    child.failures = 0
                yield from self._try_again(child, now)
            return
        if restart == "temporary":
            yield from self._forget(child)
        if self._ends_all(child):
            yield Exit(SHUTDOWN)

    def retry(self, id: str, token: int, now: float) -> Steps:  # noqa: A002
        """A `Retry` has come back. It means nothing if the child is no longer waiting for it."""
        child = self.children.get(id)
        if child is not None and child.state == "restarting" and child.token == token:
            yield from self._restart(child, child.last_failure or SHUTDOWN, now)

    # -- requests ----------------------------------------------------------------------------

    def start_child(self, spec: ChildSpec, now: float) -> Steps:
        """Adds a child after all others and starts it. Returns its ref, None if it ignored."""
        check_spec(spec, self._auto_shutdown)
        present = self.children.get(spec.id)
        if present is not None:
            up = present.state == "up"
            raise ChildError("already_started" if up else "already_present", spec.id)
        child = Child(spec, spec.id)
        outcome = yield from self._start(child, now)
        if failed(outcome):
            yield Report("start_failed", child, outcome.reason)
            yield Forget(child)
            raise StartError(spec.id, outcome.reason)
        self.children[spec.id] = child
        if ignored(outcome) and spec.restart == "temporary":
            yield from self._forget(child)
        return child.ref

    def terminate_child(self, id: str) -> Steps:  # noqa: A002
        """Stops a child and keeps its spec, unless it is temporary. Idempotent."""
        yield from self._stop(self.find(id))

    def restart_child(self, id: str, now: float) -> Steps:  # noqa: A002
        """Starts a child that is down. Returns its ref, None if it ignored."""
        child = self.find(id)
        self._refuse_unless_down(child)
        outcome = yield from self._start(child, now)
        if failed(outcome):
            yield Report("start_failed", child, outcome.reason)
            raise StartError(id, outcome.reason)
        return child.ref

    def delete_child(self, id: str) -> Steps:  # noqa: A002
        """Forgets a child that is down."""
        child = self.find(id)
        self._refuse_unless_down(child)
        yield from self._forget(child)

    # -- the rules ---------------------------------------------------------------------------

    def _restart(self, child: Child, reason: ExitReason, now: float) -> Steps:
        group = self._group(child)
        if len(group) > 1:
            due = max((other.due for other in group if other.state == "restarting"), default=now)
            if due > now and child.due < due:  # the group is whole when the last may start
                yield from self._try_again(child, now, due - now)
                return
        if not self._intensity.add(now):
            yield Report("gave_up", child, reason)
            child.state = "down"
            yield Exit(gave_up(reason))
            return
        if len(group) > 1:
            yield from self._stop_all(group)
            group = [member for member in group if member.spec.id in self.children]
        error = yield from self._start_all(group, now, restart=True)
        if error is not None:
            failing, why = error
            yield Report("start_failed", failing, why)
            failing.last_failure = why
            yield from self._try_again(failing, now)

    def _group(self, child: Child) -> list[Child]:
        """Who is restarted with `child`, in start order."""
        if self._strategy == "one_for_one":
            return [child]
        members = list(self.children.values())
        if self._strategy == "rest_for_one":
            # One before it that waits for its backoff must start before it.
            first = next(one for one in members if one is child or one.state == "restarting")
            return members[members.index(first) :]
        return members

    def _try_again(self, child: Child, now: float, wait: float = 0.0) -> Steps:
        delay = max(wait, child.fails())
        child.due = now + delay
        yield Retry(child, child.token, delay)

    def _start_all(self, group: list[Child], now: float, restart: bool = False) -> Steps:
        for child in group:
            outcome = yield from self._start(child, now, restart)
            if failed(outcome):
                return child, outcome.reason
            if ignored(outcome) and child.spec.restart == "temporary":
                yield from self._forget(child)
        return None

    def _start(self, child: Child, now: float, restart: bool = False) -> Steps:
        outcome = yield Start(child, restart)
        child.begun(outcome, now)
        if child.ref is not None:
            self._by_ref[child.ref] = child
        return outcome

    def _stop_all(self, group: list[Child]) -> Steps:
        for child in reversed(group):
            yield from self._stop(child)

    def _stop(self, child: Child) -> Steps:
        ref = child.ref
        child.ended()
        if ref is not None:
            self._by_ref.pop(ref, None)
            reason = (yield Stop((child.spec,), (ref,)))[0]
            if unexpected(child.spec, reason):
                yield Report("shutdown_error", child, reason)
        if child.spec.restart == "temporary":
            yield from self._forget(child)

    def _forget(self, child: Child) -> Steps:
        del self.children[child.spec.id]
        yield Forget(child)

    def _ends_all(self, child: Child) -> bool:
        if self._auto_shutdown == "never" or not child.spec.significant:
            return False
        if self._auto_shutdown == "any_significant":
            return True
        return not any(
            other.spec.significant and other.state != "down" for other in self.children.values()
        )

    def find(self, id: str) -> Child:  # noqa: A002
        """The child with this id; raises ChildError."""
        child = self.children.get(id) if isinstance(id, str) else None
        if child is None:
            raise ChildError("not_found", shown(id, str))
        return child

    def _refuse_unless_down(self, child: Child) -> None:
        if child.state == "up":
            raise ChildError("running", child.spec.id)
        if child.state == "restarting":
            raise ChildError("restarting", child.spec.id)


def unexpected(spec: ChildSpec, reason: ExitReason) -> bool:
    """Whether a child that was told to shut down ended in another way than that."""
    from actors.spec import BRUTAL_KILL

    if spec.shutdown is BRUTAL_KILL:
        return reason.kind != "killed"
    if reason.kind == "normal":
        return spec.restart == "permanent"
    return reason.abnormal

"""OTP's simple_one_for_one, as Elixir's DynamicSupervisor: children come and go, in no order.

Pure, as `strategy`. A child is found by its present ref, by its last one while it is being
restarted, or by its name.
"""

from __future__ import annotations

from collections.abc import Hashable
from itertools import count
from typing import Any

from actors.effects import Child, Exit, Forget, Report, Retry, Start, Stop, failed, ignored
from actors.errors import ChildError, SpecError, StartError
from actors.outside import shown
from actors.pace import Intensity
from actors.reasons import SHUTDOWN, ExitReason, gave_up
from actors.spec import ChildSpec, check_spec
from actors.strategy import Steps, unexpected


class DynamicChildren:
    """The children of a `DynamicSupervisor`, by name."""

    def __init__(
        self, max_children: int | None = None, intensity: int = 3, period: float = 5.0
    ) -> None:
        if max_children is not None and (
            isinstance(max_children, bool) or not isinstance(max_children, int) or max_children < 0
        ):
            wrong = shown(max_children)
            raise SpecError(f"max_children is a whole number from 0, or None, not {wrong}")
        self._max_children = max_children
        self._intensity = Intensity(intensity, period)
        self.children: dict[str, Child] = {}
        self._by_ref: dict[Any, Child] = {}
        self._serial = count(1)  # for children without a name

    def start_child(self, spec: ChildSpec, now: float) -> Steps:
        """Starts one more child. Returns its ref; None if it ignored, then it is not kept."""
        check_spec(spec, "never")
        name = spec.name or f"{spec.id}-{next(self._serial)}"
        if name in self.children:
            raise ChildError("already_started", name)
        if self._max_children is not None and len(self.children) >= self._max_children:
            raise ChildError("max_children", name)
        child = Child(spec, name)
        outcome = yield Start(child, False)
        child.begun(outcome, now)
        if failed(outcome):
            yield Report("start_failed", child, outcome.reason)
            yield Forget(child)
            raise StartError(name, outcome.reason)
        if ignored(outcome):
            yield Forget(child)
        else:
            self._keep(child)
        return child.ref

    def terminate_child(self, key: Any) -> Steps:
        """Stops a child and forgets it; a pending restart is cancelled."""
        child = self.find(key)
        yield from self._stop([child])

    def shutdown(self) -> Steps:
        """Stops all at the same time."""
        yield from self._stop(list(self.children.values()))

    def down(self, ref: Any, reason: ExitReason, now: float) -> Steps:
        """A child has ended by itself."""
        child = self._by_ref.pop(ref, None)
        if child is None:
            return
        child.ended()
        child.last_failure = reason
        spec = child.spec
        if spec.restart == "permanent" or reason.abnormal:
            yield Report("crashed", child, reason)
        if spec.restart == "temporary" or (spec.restart == "transient" and not reason.abnormal):
            yield from self._forget(child)
        elif spec.backoff is not None:
            if spec.backoff.stable(now - child.since):
                child.failures = 0
            yield from self._try_again(child, ref)
        else:
            yield from self._restart(child, reason, now)

    def retry(self, key: str, token: int, now: float) -> Steps:
        """A `Retry` has come back."""
        child = self.children.get(key)
        if child is not None and child.state == "restarting" and child.token == token:
            yield from self._restart(child, child.last_failure or SHUTDOWN, now)

    def find(self, key: Any) -> Child:
        """The child with this ref or name."""
        known = isinstance(key, Hashable)
        child = self._by_ref.get(key) or self.children.get(key) if known else None
        if child is None:
            raise ChildError("not_found", shown(getattr(key, "name", key), str))
        return child

    def _restart(self, child: Child, reason: ExitReason, now: float) -> Steps:
        if not self._intensity.add(now):
            yield Report("gave_up", child, reason)
            yield from self._forget(child)
            yield Exit(gave_up(reason))
            return
        before = child.last_ref
        outcome = yield Start(child, True)
        if failed(outcome):
            yield Report("start_failed", child, outcome.reason)
            child.last_failure = outcome.reason
            yield from self._try_again(child, before)
            return
        self._by_ref.pop(before, None)
        child.begun(outcome, now)
        if ignored(outcome):
            yield from self._forget(child)
        else:
            self._keep(child)

    def _try_again(self, child: Child, last_ref: Any) -> Steps:
        self._by_ref[last_ref] = child  # so that a holder of the old ref can still terminate it
        delay = child.fails()
        yield Retry(child, child.token, delay)

    def _stop(self, children: list[Child]) -> Steps:
        running = [child for child in children if child.ref is not None]
        refs = tuple(child.ref for child in running)
        for child in children:
            child.ended()
        reasons = yield Stop(tuple(child.spec for child in running), refs)
        for child in children:
            yield from self._forget(child)
        for child, reason in zip(running, reasons, strict=True):
            if unexpected(child.spec, reason):
                yield Report("shutdown_error", child, reason)

    def _keep(self, child: Child) -> None:
        self.children[child.key] = child
        self._by_ref[child.ref] = child

    def _forget(self, child: Child) -> Steps:
        del self.children[child.key]
        self._by_ref.pop(child.last_ref, None)
        yield Forget(child)

"""The result of one attempt, as the worker reports it and the job actor judges it."""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING, Any

from marianne.records import dataclass

if TYPE_CHECKING:
    from marianne.replies.job import Check


@dataclass(frozen=True, slots=True)
class ValidationOutcome:
    """What one check found. ``passed`` None: it did not apply or was not reached."""

    type: str
    passed: bool | None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class AttemptResult:
    """How an attempt ended.

    ``outcome`` is one of: completed (the program succeeded and every check passed), failed (any
    other ending of its own), skipped (its skip condition held), interrupted (ended by us: cancel,
    stop, loss of the conductor; uses up no retry). ``category`` says why it did not complete:
    exit, signal, timeout, idle, resource_limit, output_limit, validation, list, not_found,
    template, preflight (a prompt that is too long), sandbox (a wall it needs cannot be had),
    rate_limit, auth, workspace, refused (a batch job that its engine does not take), cancelled,
    stopped, lost, internal; disk_full and machine (no descriptor, process or memory left, a disk
    that fails) of one that could not begin, or whose output could not be kept. ``serial`` numbers
    the results of one worker, for acknowledgement. ``listed`` is the list of a sheet that makes
    one: ``items``, and the ``prefix`` that their names leave out. ``node`` is where it ran, None on
    the conductor's machine; ``walls`` are those of its sandbox that stood. For so many seconds it
    stood ``still``, held by a pause. Times are seconds since the epoch; memory is in MB (2**20
    bytes), 0.0 where it is not known: of a program that had less than its worker and ended within
    0.25 s.
    """

    num: int
    attempt: int
    outcome: str
    started_at: float
    finished_at: float
    serial: int = 0
    exit_code: int | None = None
    signal: int | None = None
    category: str | None = None
    code: str | None = None
    message: str | None = None
    validations: tuple[ValidationOutcome, ...] = ()
    left_running: tuple[int, ...] = ()
    retry_after: float | None = None
    peak_memory_mb: float = 0.0
    cpu_seconds: float = 0.0
    output_bytes: int = 0
    usage: dict[str, Any] = field(default_factory=dict)
    listed: dict[str, Any] | None = None
    node: str | None = None
    walls: tuple[str, ...] = ()
    still: float = 0.0

    @property
    def seconds(self) -> float:
        """How long it was at work."""
        return max(0.0, self.finished_at - self.started_at - self.still)

    @property
    def pass_percent(self) -> float:
        """Share of the checks that applied and passed, 0 to 100; no checks is 100."""
        judged = [v for v in self.validations if v.passed is not None]
        return 100.0 * sum(bool(v.passed) for v in judged) / len(judged) if judged else 100.0

    def to_map(self) -> dict[str, Any]:
        """The wire and spool form. By hand: dataclasses.asdict costs 30 us, a tenth of a sheet."""
        data = {name: getattr(self, name) for name in self.__slots__}
        data["validations"] = self.checks()
        return data

    def checks(self) -> list[Check]:
        """The validations as plain data."""
        return [{"type": v.type, "passed": v.passed, "detail": v.detail} for v in self.validations]

    @classmethod
    def from_map(cls, data: dict[str, Any]) -> AttemptResult:
        """Reads the wire form; unknown keys are ignored, so that a newer worker can be read."""
        known = {k: v for k, v in data.items() if k in cls.__dataclass_fields__}
        known["validations"] = tuple(ValidationOutcome(**v) for v in known.get("validations", ()))
        known["left_running"] = tuple(known.get("left_running", ()))
        known["walls"] = tuple(known.get("walls", ()))
        return cls(**known)


def lost(num: int, attempt: int, started_at: float, now: float) -> AttemptResult:
    """The result of an attempt whose worker is gone: interrupted, which uses up no retry."""
    return AttemptResult(
        num,
        attempt,
        "interrupted",
        started_at,
        max(now, started_at),
        category="lost",
        message="the worker process was lost while the sheet ran",
    )

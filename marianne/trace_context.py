"""Which trace a job is part of, and the numbers of its spans (W3C Trace Context). Pure.

A number is made of what it is the number of, never drawn: so whoever tells of a span after a
restart tells of the same one, and a sheet's worker knows its parent without being told.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from marianne.records import dataclass

PARENT, STATE = "TRACEPARENT", "TRACESTATE"
"""The variables that programs hand them on by."""

SAMPLED = 1

_FORM = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")


@dataclass(frozen=True, slots=True)
class Trace:
    """Of one job. ``parent`` is the span of whoever submitted it; None: the trace begins with it.
    ``flags`` are the parent's."""

    source: str
    trace_id: str
    parent: str | None = None
    flags: int = SAMPLED

    @property
    def sampled(self) -> bool:
        """Whether somebody wants to hear of it: whoever began the trace has decided."""
        return bool(self.flags & SAMPLED)

    def job_span(self, life: int) -> str:
        """``life`` counts how often the job was over before: one that is retried has another."""
        return _number(f"{self.source}/{life}", 8)

    def sheet_span(self, num: int, life: int) -> str:
        """A sheet of that life of the job."""
        return _number(f"{self.source}/{life}/{num}", 8)

    def attempt_span(self, num: int, attempt: int) -> str:
        """An attempt: its number alone names it, in all lives."""
        return _number(f"{self.source}/{num}.{attempt}", 8)

    def handed_on(self, num: int, attempt: int) -> dict[str, str]:
        """What an attempt's programs find in their environment."""
        span = self.attempt_span(num, attempt)
        return {PARENT: f"00-{self.trace_id}-{span}-{self.flags:02x}"}


def seed_of(owner: str) -> str:
    """Of a home, as job ids are unique in a home only. Its marker does not follow from it."""
    return _number(f"traces/{owner}", 16)


def trace_of(seed: str, job_id: str, environment: Mapping[str, str]) -> Trace:
    """A job's trace: that of whoever submitted it, by its environment, else one of its own."""
    source = f"{seed}/{job_id}"
    found = _FORM.fullmatch(environment.get(PARENT, "").strip())
    if found is None or not _is_meant(found):
        return Trace(source, _number(source, 16))
    return Trace(source, found[2], found[3], int(found[4], 16))


def _is_meant(found: re.Match[str]) -> bool:
    version, trace_id, parent, _, more = found.groups()
    if version == "ff" or (version == "00" and more is not None):
        return False
    return bool(trace_id.strip("0") and parent.strip("0"))


def _number(text: str, size: int) -> str:
    import hashlib  # late: a worker of jobs that nobody traces has no use for it

    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[: 2 * size]

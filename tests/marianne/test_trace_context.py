"""Which trace a job is part of: by who submitted it, and by numbers that anybody can make again."""

from __future__ import annotations

import pytest

from marianne.trace_context import seed_of, trace_of

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


def parent(text: str) -> tuple[str, str | None, int]:
    found = trace_of("seed", "job", {"TRACEPARENT": text})
    return found.trace_id, found.parent, found.flags


def test_a_job_is_part_of_the_trace_of_whoever_submitted_it() -> None:
    assert parent(f"00-{TRACE}-{SPAN}-01") == (TRACE, SPAN, 1)
    assert parent(f" 00-{TRACE}-{SPAN}-00\n") == (TRACE, SPAN, 0)
    assert parent(f"cc-{TRACE}-{SPAN}-01-what-comes-later") == (TRACE, SPAN, 1)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nonsense",
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-01-more",
        f"00-{TRACE.upper()}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE[1:]}-{SPAN}-01",
    ],
)
def test_what_is_no_parent_begins_a_trace_of_the_jobs_own(text: str) -> None:
    trace_id, found, flags = parent(text)
    assert (found, flags) == (None, 1)
    assert (trace_id, found, flags) == parent("")


def test_numbers_are_the_same_each_time_and_differ_for_what_differs() -> None:
    one = trace_of(seed_of("a"), "job", {})
    assert one == trace_of(seed_of("a"), "job", {})
    others = [trace_of(seed_of("b"), "job", {}), trace_of(seed_of("a"), "job-2", {})]
    assert len({one.trace_id, *(other.trace_id for other in others)}) == 3
    spans = [one.job_span(0), one.job_span(1), one.sheet_span(1, 0), one.sheet_span(1, 1)]
    spans += [one.attempt_span(1, 1), one.attempt_span(11, 1), one.attempt_span(1, 11)]
    assert len(set(spans)) == len(spans)
    assert {len(span) for span in spans} == {16}
    assert seed_of("a") != "a"


def test_what_is_handed_on_names_the_attempt_and_keeps_the_flags() -> None:
    trace = trace_of("seed", "job", {"TRACEPARENT": f"00-{TRACE}-{SPAN}-00"})
    assert not trace.sampled
    assert trace.handed_on(2, 3) == {"TRACEPARENT": f"00-{TRACE}-{trace.attempt_span(2, 3)}-00"}

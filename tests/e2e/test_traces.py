"""A collector of traces is told of jobs, sheets and attempts, whatever dies meanwhile."""

from __future__ import annotations

import os
import signal
import socket
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from collector import Collector, attributes, collecting
from e2e_marianne import Marianne, until

RETRIES = """sheets:
  - name: build
    run: 'echo $TRACEPARENT > traced.$MARIANNE_ATTEMPT; test $MARIANNE_ATTEMPT = 2'
    retry: {max_retries: 2, base_delay_seconds: 0.01}
  - {name: test, needs: [build], run: 'exit 3'}
"""
WAITS = "sheets:\n" + "".join(
    f"  - {{name: s{n}, run: 'until test -e go{n}; do sleep 0.02; done'}}\n" for n in range(3)
)
OURS = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture
def collector() -> Iterator[Collector]:
    with collecting() as one:
        yield one


Tell = Callable[..., Marianne]


def _to(address: str, more: str = "") -> str:
    return f"traces: {{endpoint: '{address}'{more}}}\n"


@pytest.fixture
def telling(
    mortal: Marianne, configured: Callable[[str], Marianne], collector: Collector
) -> Iterator[Tell]:
    """Has a conductor that goes on afterwards tell the collector, until the end of the test."""
    notes = mortal.home / "traces.json"

    def tell(more: str = "") -> Marianne:
        configured(_to(collector.address, more))
        until(notes.exists)
        return mortal

    yield tell
    mortal("start")
    mortal.configure()
    until(lambda: not notes.exists())


def _configure(marianne: Marianne, address: str, more: str = "") -> None:
    marianne.home.mkdir(mode=0o700, exist_ok=True)
    (marianne.home / "conductor.yaml").write_text(_to(address, more))


def _traces(marianne: Marianne) -> dict[str, Any]:
    return dict(marianne.request("daemon.status")["traces"])


def _all_told(marianne: Marianne) -> bool:
    return bool(_traces(marianne)["waiting"] == 0)


def _kill(marianne: Marianne) -> None:
    first = marianne.pids()["conductor"]
    os.kill(first, signal.SIGKILL)
    until(lambda: marianne.pids()["conductor"] != first and marianne.serves())


def _only(collector: Collector, name: str) -> dict[str, Any]:
    (span,) = collector.named(name)
    return span


def test_a_job_its_sheets_and_their_attempts_are_one_trace(
    telling: Tell, collector: Collector
) -> None:
    marianne = telling(", headers: {x-key: sesame}")
    job = marianne.play("work", RETRIES, code=1)
    until(lambda: collector.named("work"))
    whole, build, test = (_only(collector, name) for name in ("work", "build", "test"))
    assert "parentSpanId" not in whole
    assert {build["parentSpanId"], test["parentSpanId"]} == {whole["spanId"]}
    assert len({span["traceId"] for span in collector.spans}) == 1
    first, of_test = collector.named("attempt 1")
    second = _only(collector, "attempt 2")
    assert {first["parentSpanId"], second["parentSpanId"]} == {build["spanId"]}
    assert of_test["parentSpanId"] == test["spanId"]
    assert [span["status"]["code"] for span in (first, test, whole)] == [2, 2, 2]
    assert "status" not in build
    assert attributes(first)["process.exit.code"] == 1
    assert attributes(whole)["marianne.job.id"] == job
    assert attributes(build)["marianne.attempts"] == 2
    assert int(whole["startTimeUnixNano"]) <= int(build["startTimeUnixNano"])
    assert int(build["endTimeUnixNano"]) <= int(whole["endTimeUnixNano"])
    for attempt, span in ((1, first), (2, second)):
        told = (marianne.place / "work" / f"traced.{attempt}").read_text().strip()
        assert told == f"00-{span['traceId']}-{span['spanId']}-01"
    assert collector.headers[0]["x-key"] == "sesame"
    assert collector.resources[0]["service.name"] == "marianne"


def test_each_fact_is_told_over_kills_and_what_comes_twice_is_the_same(
    telling: Tell, collector: Collector
) -> None:
    marianne = telling()
    job = marianne.submit("work", WAITS)
    (marianne.place / "work" / "go0").touch()
    until(lambda: collector.named("s0"))
    until(lambda: _all_told(marianne))
    _kill(marianne)
    collector.held.clear()
    (marianne.place / "work" / "go1").touch()
    until(lambda: collector.named("s1"))  # taken, and that is not said
    _kill(marianne)
    collector.held.set()
    (marianne.place / "work" / "go2").touch()
    marianne.wait(job)
    until(lambda: collector.named("work"))
    until(lambda: _all_told(marianne))
    assert {span["name"] for span in collector.spans} == {"work", "s0", "s1", "s2", "attempt 1"}
    assert len({span["traceId"] for span in collector.spans}) == 1
    told = Counter(span["spanId"] for span in collector.spans)
    assert len(told) == 7
    assert all(told[_first(collector, name)] == 1 for name in ("s0", "s2", "work"))
    whole = _only(collector, "work")["spanId"]
    for name in ("s0", "s1", "s2"):
        assert {span["parentSpanId"] for span in collector.named(name)} == {whole}


def _first(collector: Collector, name: str) -> str:
    return str(collector.named(name)[0]["spanId"])


def test_a_collector_that_is_away_holds_nobody_up_and_is_told_when_it_is_back(
    own: Marianne,
) -> None:
    # Bound and not listening: refused, and nobody else on this machine is given it meanwhile.
    away = socket.socket()
    away.bind(("127.0.0.1", 0))
    port = away.getsockname()[1]
    _configure(own, f"http://127.0.0.1:{port}")
    own.play("work", "sheets: [{name: a, run: 'true'}]\n")
    until(lambda: "nobody answered" in _traces(own)["trouble"])
    assert "marianne_traces_failing 1\n" in own("metrics").out
    assert "nobody answered" in own("conductor-status").out
    assert _traces(own)["waiting"] > 0
    away.close()
    with collecting(port) as back:
        until(lambda: back.named("work"))
        until(lambda: _traces(own)["trouble"] == "ok")
    assert "marianne_trace_spans_sent_total 3\n" in own("metrics").out


def test_what_the_collector_will_never_take_is_counted(own: Marianne, collector: Collector) -> None:
    collector.status = 400
    _configure(own, collector.address)
    own.play("work", "sheets: [{name: a, run: 'true'}]\n")
    until(lambda: _traces(own)["dropped"] == 3)
    assert "HTTP 400" in _traces(own)["trouble"]
    assert "marianne_trace_spans_dropped_total 3\n" in own("metrics").out
    collector.status = 200
    own.play("more", "sheets: [{name: a, run: 'true'}]\n")
    until(lambda: collector.named("more"))
    until(lambda: _traces(own)["trouble"] == "ok")


def test_a_job_goes_on_in_the_trace_of_whoever_submits_it(
    telling: Tell, collector: Collector
) -> None:
    marianne = telling()
    marianne.env["TRACEPARENT"] = OURS
    marianne.play("work", "sheets: [{name: a, run: 'echo $TRACEPARENT > told'}]\n")
    until(lambda: collector.named("work"))
    whole = _only(collector, "work")
    assert f"00-{whole['traceId']}-{whole['parentSpanId']}-01" == OURS
    attempt = _only(collector, "attempt 1")["spanId"]
    told = (marianne.place / "work" / "told").read_text()
    assert told == f"00-{whole['traceId']}-{attempt}-01\n"
    marianne.env["TRACEPARENT"] = (
        OURS[:-1] + "0"
    )  # whoever began it decided that nobody wants to know
    marianne.play("unheard", "sheets: [{name: b, run: 'echo $TRACEPARENT > told'}]\n")
    assert (marianne.place / "unheard" / "told").read_text().startswith(OURS[:35])
    del marianne.env["TRACEPARENT"]
    marianne.play("last", "sheets: [{name: c, run: 'true'}]\n")
    until(lambda: collector.named("last"))
    assert not collector.named("unheard")


def test_a_job_that_is_retried_and_cancelled_has_a_span_for_each_of_its_lives(
    telling: Tell, collector: Collector
) -> None:
    marianne = telling()
    text = "sheets: [{name: a, run: 'test -e ok || exit 1; touch up; sleep 600'}]\n"
    job = marianne.play("work", text, code=1)
    until(lambda: len(collector.named("work")) == 1)
    (marianne.place / "work" / "ok").touch()
    marianne("retry", job)
    until((marianne.place / "work" / "up").exists)
    marianne("cancel", job, "--yes")
    until(lambda: len(collector.named("work")) == 2)
    first, second = collector.named("work")
    assert first["spanId"] != second["spanId"]
    assert int(first["endTimeUnixNano"]) <= int(second["startTimeUnixNano"])
    sheets = collector.named("a")
    assert [sheet["parentSpanId"] for sheet in sheets] == [first["spanId"], second["spanId"]]
    attempts = [_only(collector, f"attempt {n}") for n in (1, 2)]
    assert [one["parentSpanId"] for one in attempts] == [one["spanId"] for one in sheets]


def test_without_a_collector_a_sheet_has_what_its_submitter_had(own: Marianne) -> None:
    own.env["TRACEPARENT"] = OURS
    own.play("work", "sheets: [{name: a, run: 'echo $TRACEPARENT > told'}]\n")
    assert (own.place / "work" / "told").read_text() == f"{OURS}\n"
    assert own.request("daemon.status")["traces"] is None
    assert not (own.home / "traces.json").exists()


def test_it_is_turned_on_and_off_while_the_conductor_runs(
    own: Marianne, collector: Collector, tmp_path: Path
) -> None:
    own.play("before", "sheets: [{name: a, run: 'true'}]\n")
    _configure(own, collector.address)
    assert own("reload", "--json").json["applied"] == ["traces.endpoint"]
    until((own.home / "traces.json").exists)
    own.play("during", "sheets: [{name: a, run: 'true'}]\n")
    until(lambda: collector.named("during"))
    assert not collector.named("before")
    (own.home / "conductor.yaml").write_text("{}\n")
    own("reload")
    until(lambda: not (own.home / "traces.json").exists())
    assert own.request("daemon.status")["traces"] is None
    own.play("after", "sheets: [{name: a, run: 'true'}]\n")
    _configure(own, collector.address)
    own("reload")
    until((own.home / "traces.json").exists)
    own.play("again", "sheets: [{name: a, run: 'true'}]\n")
    until(lambda: collector.named("again"))
    assert not collector.named("after")


def test_a_local_run_tells_of_its_job_before_it_ends(own: Marianne, collector: Collector) -> None:
    _configure(own, collector.address)
    own("run", own.score("alone", "sheets: [{name: a, run: 'true'}]\n"), "--local")
    assert {span["name"] for span in collector.spans} == {"alone", "a", "attempt 1"}


def test_a_local_run_notes_a_collector_that_is_away(own: Marianne) -> None:
    _configure(own, "http://127.0.0.1:9")
    done = own("run", own.score("alone", "sheets: [{name: a, run: 'true'}]\n"), "--local")
    assert "the collector of traces was not told of all: " in done.err

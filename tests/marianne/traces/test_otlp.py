"""What a collector is sent, and what its answers mean."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from collector import Collector, attributes, collecting

from marianne.traces.otlp import Answer, request, send, span

IDS = ("a" * 32, "b" * 16, None)
SPAN = span(IDS, "name", (1_700_000_000.0, 1_700_000_000.25), {"n": 3, "none": None})


@pytest.fixture
def collector() -> Iterator[Collector]:
    with collecting() as one:
        yield one


def tell(collector: Collector, **headers: str) -> Answer:
    body = request({"service.name": "x"}, "1", [SPAN, SPAN])
    return send(f"{collector.address}/v1/traces", headers, body, 2)


def test_a_span_says_what_it_knows() -> None:
    values = {"text": "x", "yes": True, "n": 3, "share": 0.5, "none": None}
    made = span(("a" * 32, "b" * 16, "c" * 16), "name", (2.0, 1.0), values, "it broke")
    assert made["parentSpanId"] == "c" * 16
    assert made["startTimeUnixNano"] == made["endTimeUnixNano"] == "2000000000"
    assert made["status"] == {"code": 2, "message": "it broke"}
    assert attributes(made) == {"text": "x", "yes": True, "n": 3, "share": 0.5}
    assert made["attributes"][1]["value"] == {"boolValue": True}
    assert "parentSpanId" not in SPAN
    assert "status" not in SPAN


def test_what_is_taken_is_counted(collector: Collector) -> None:
    assert tell(collector, Authorization="Bearer x") == Answer(2)
    assert [one["name"] for one in collector.spans] == ["name", "name"]
    assert collector.headers[0]["authorization"] == "Bearer x"
    collector.reply = b"not json"
    assert tell(collector) == Answer(2)


def test_what_is_taken_in_part_says_so(collector: Collector) -> None:
    told = {"partialSuccess": {"rejectedSpans": "1", "errorMessage": "too old"}}
    collector.reply = json.dumps(told).encode()
    assert tell(collector) == Answer(1, 1, "of 2 spans 1 were refused: too old")
    collector.reply = b'{"partialSuccess": {"rejectedSpans": 99}}'
    assert tell(collector).refused == 2
    collector.reply = b'{"partialSuccess": {}}'
    assert tell(collector) == Answer(2)


@pytest.mark.parametrize("status", [401, 404, 429, 500, 503])
def test_what_may_be_mended_is_sent_again(collector: Collector, status: int) -> None:
    collector.status = status
    assert tell(collector) == Answer(trouble=f"the answer was HTTP {status}")


def test_what_will_never_be_taken_is_refused(collector: Collector) -> None:
    collector.status = 400
    assert tell(collector) == Answer(0, 2, "the answer was HTTP 400")


@pytest.mark.parametrize("status", [302, 307])
def test_nobody_is_followed_elsewhere(collector: Collector, status: int) -> None:
    with collecting() as other:
        collector.status, collector.location = status, f"{other.address}/v1/traces"
        assert tell(collector).trouble == f"the answer was HTTP {status}"
        assert not other.paths


def test_words_of_trouble_name_no_address() -> None:
    with collecting() as away:
        port = away.server_address[1]
    answer = send(f"http://127.0.0.1:{port}/secret", {}, b"{}", 1)
    assert answer == Answer(trouble="nobody answered: Connection refused")

"""OTLP over HTTP in JSON: spans as the collector takes them, and whether it did.

Of OTLP's two encodings this is the one that needs no library. What the answers mean stands in the
OTLP specification, "OTLP/HTTP Response".
"""

from __future__ import annotations

import http.client
import json
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from typing import Any

from marianne.records import dataclass
from marianne.score.redact import redact

INTERNAL, ERROR = 1, 2
"""A span's kind, a status's code."""

LONGEST_ANSWER = 64 * 1024
TIMEOUT = 10.0
"""Seconds for the collector to answer."""

NEVER = frozenset({400, 413, 422})
"""It will not take these spans at any time. All else may be mended: a key, an address, its load."""

Span = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Answer:
    """``taken`` and ``refused`` count spans; with ``trouble`` and neither, they may be sent again.
    The words have no address and no header: these may be secrets."""

    taken: int = 0
    refused: int = 0
    trouble: str | None = None


def span(
    ids: tuple[str, str, str | None],
    name: str,
    times: tuple[float, float],
    attributes: Mapping[str, Any],
    error: str | None = None,
) -> Span:
    """``ids``: of the trace, the span and its parent. Times are in seconds since the epoch."""
    trace_id, span_id, parent = ids
    began, ended = times
    made: Span = {
        "traceId": trace_id,
        "spanId": span_id,
        "name": name,
        "kind": INTERNAL,
        "startTimeUnixNano": _nanos(began),
        "endTimeUnixNano": _nanos(max(began, ended)),
        "attributes": _attributes(attributes),
    }
    if parent is not None:
        made["parentSpanId"] = parent
    if error is not None:
        made["status"] = {"code": ERROR, "message": error}
    return made


def request(resource: Mapping[str, Any], version: str, spans: Sequence[Span]) -> bytes:
    """The body of an ExportTraceServiceRequest."""
    scope = {"scope": {"name": "marianne", "version": version}, "spans": list(spans)}
    whole = {"resource": {"attributes": _attributes(resource)}, "scopeSpans": [scope]}
    return json.dumps({"resourceSpans": [whole]}, ensure_ascii=True).encode()


class _Straight(urllib.request.HTTPRedirectHandler):
    """To be sent elsewhere is no answer: the headers are this collector's."""

    def redirect_request(self, *_: Any) -> None:
        return None


def send(url: str, headers: Mapping[str, str], body: bytes, number: int) -> Answer:
    """Tells the collector of so many spans."""
    opener = urllib.request.build_opener(_Straight)
    kind = {"Content-Type": "application/json", "User-Agent": "marianne"}
    try:
        asked = urllib.request.Request(url, body, {**headers, **kind}, method="POST")
        with opener.open(asked, timeout=TIMEOUT) as answer:
            return _partly(answer.read(LONGEST_ANSWER), number)
    except urllib.error.HTTPError as error:
        error.close()
        why = f"the answer was HTTP {error.code}"
        return Answer(0, number if error.code in NEVER else 0, why)
    except urllib.error.URLError as error:
        reason = getattr(error.reason, "strerror", None) or error.reason
        return Answer(trouble=f"nobody answered: {reason}")
    except (OSError, ValueError, http.client.HTTPException) as error:
        return Answer(trouble=f"it could not be sent: {type(error).__name__}")


def _partly(answer: bytes, number: int) -> Answer:
    """It took them, or says how many it did not take."""
    try:
        told = json.loads(answer)["partialSuccess"]
        refused = min(number, max(0, int(told.get("rejectedSpans") or 0)))
        words = redact(str(told.get("errorMessage") or ""))[:300]
    except (ValueError, KeyError, TypeError, AttributeError):
        return Answer(number)
    trouble = f"of {number} spans {refused} were refused: {words or 'nobody says why'}"
    return Answer(number - refused, refused, trouble if refused else None)


def _nanos(seconds: float) -> str:
    return str(round(seconds * 1e9))


def _attributes(given: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [
        {"key": key, "value": _value(value)} for key, value in given.items() if value is not None
    ]


def _value(value: Any) -> dict[str, Any]:
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int):
        return {"intValue": str(value)}
    if isinstance(value, float):
        return {"doubleValue": value}
    return {"stringValue": str(value)}

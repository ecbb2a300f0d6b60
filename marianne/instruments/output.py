"""From what a program printed to its result, its usage, and why it failed. Pure.

Results are read from stdout as the profile's ``output`` section says. Failures are told apart by
patterns on the error stream of failed runs only: an agent that writes about rate limits in its
work is not limited.
"""

from __future__ import annotations

import itertools
import json
import re
import time
from collections.abc import Iterator
from dataclasses import field, replace
from functools import lru_cache
from typing import Any, Literal

from marianne.model.plan import Instrument
from marianne.records import dataclass

# Bounds of a wait until a time of day or a date: clocks differ, and a limit that was just reset
# is often not yet open. Waits that are named as such are taken as they are, up to a day.
MIN_RESET_WAIT, MAX_WAIT = 300.0, 86_400.0
# The largest number of tokens, or cost, that is believed.
MOST = 10**15
# Notifications before the JSON may begin like it; this many beginnings are tried.
MAX_STARTS = 20


@dataclass(frozen=True, slots=True)
class Reading:
    """What a program said.

    ``text`` is its result, ``error`` the error that it reported itself, ``usage`` has
    input_tokens, output_tokens and cost_usd as far as they are known. ``structured`` is False when
    the output was not of the promised format; then ``text`` is all of it. ``ignored`` says in
    words which values could not be used: text has no lone surrogates, tokens are whole numbers and
    costs finite ones from 0 to MOST.
    """

    text: str
    error: str | None = None
    usage: dict[str, float] = field(default_factory=dict)
    structured: bool = True
    rate_limited: bool = False
    ignored: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """Why a run failed. ``retry`` False: trying again cannot help. ``wait`` is for rate limits,
    None where the program names none; their ``code`` is E101, or E104 for a used-up quota."""

    category: str
    code: str
    message: str
    retry: bool = True
    wait: float | None = None


# Checked in this order; rate limits come first because waiting is the one right answer to them.
_KINDS: tuple[tuple[str, str, str, str, bool], ...] = (
    ("auth_error_patterns", "auth", "E502", "the instrument refused the credentials", False),
    ("crash_patterns", "crash", "E003", "the instrument crashed", True),
    ("stale_patterns", "idle", "E006", "the instrument went stale", True),
    ("timeout_patterns", "timeout", "E001", "the instrument timed out", True),
    ("capacity_patterns", "capacity", "E103", "the instrument has no capacity", True),
)


def read_output(instrument: Instrument, stdout: str) -> Reading:
    """The result in ``stdout``, by the profile's format."""
    spec = instrument.output
    kind = spec.get("format", "text")
    if kind == "json":
        reading = _read_json(spec, stdout)
    elif kind == "jsonl":
        reading = _read_jsonl(instrument, stdout)
    else:
        return Reading(stdout)
    return _with_cost(reading, instrument.costs)


def diagnose(
    instrument: Instrument, stderr: str, reading: Reading | None = None
) -> Diagnosis | None:
    """Why a failed run failed, by its error stream (and the error it reported); None: unknown."""
    errors = instrument.errors
    text = stderr if reading is None or not reading.error else f"{stderr}\n{reading.error}"
    matched = _first_match(errors.get("rate_limit_patterns", ()), text)
    if matched is not None or (reading is not None and reading.rate_limited):
        line = matched or "the instrument reported a rate limit"
        code = "E104" if _QUOTA.search(line) else "E101"
        return Diagnosis("rate_limit", code, line, wait=parse_wait(text))
    for field_name, category, code, message, retry in _KINDS:
        matched = _first_match(errors.get(field_name, ()), text)
        if matched is not None:
            wait = parse_wait(text) if category == "capacity" else None
            return Diagnosis(category, code, f"{message}: {matched}", retry, wait)
    if reading is not None and reading.error:
        return Diagnosis("exit", "E009", reading.error[:500])
    return None


# A quota or an amount of use that is gone comes back later than a rate does.
_QUOTA = re.compile(r"(?i)quota|usage.?limit|\bcredits?\b|\bbilling\b")
_UNIT = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
_WAIT = re.compile(
    r"(?ix)(?:retry[\s_-]*after|try\s+again\s+(?:in|after)|retry\s+in|wait(?:\s+for)?|resets?\s+in"
    r"|available\s+in)[\"']?\s*[:=]?\s*[\"']?(?:about\s+)?((?:\d+(?:\.\d+)?\s*"
    r"(?:ms|milliseconds?|seconds?|secs?|s|minutes?|mins?|m|hours?|hrs?|h|days?|d)?\b[\s,]*(?:and\s+)?)+)"
)
_EPOCH = re.compile(r"(?i)\blimit[^\n|]{0,60}\|(\d{10})\b")
_CLOCK = re.compile(
    r"(?i)\b(?:resets?|try\s+again|available(?:\s+again)?)\s+at\s+(\d{1,2})(?::(\d{2}))?\s*([ap]\.?m)?"
)
_PART = re.compile(r"(\d+(?:\.\d+)?)\s*([a-z]*)", re.IGNORECASE)


def parse_wait(text: str, now: float | None = None) -> float | None:
    """The wait that an error asks for, in seconds, at most a day; None when it names none.

    Understands waits ("retry after 30", "try again in 5m 20s"), local times of day ("resets at
    3:30 pm") and seconds since the epoch ("limit reached|1767225600"), the last two reckoned from
    ``now`` and at least five minutes.
    """
    match = _WAIT.search(text)
    if match is None:
        return _until_reset(text, time.time() if now is None else now)
    total = 0.0
    for number, unit in _PART.findall(match[1]):
        short = unit.lower()
        key = "ms" if short.startswith(("ms", "milli")) else short[:1] or "s"
        total += float(number) * _UNIT.get(key, 1.0)
    return min(max(total, 0.0), MAX_WAIT)


def _until_reset(text: str, now: float) -> float | None:
    match = _EPOCH.search(text)
    if match is not None:
        return min(max(float(match[1]) - now, MIN_RESET_WAIT), MAX_WAIT)
    match = _CLOCK.search(text)
    if match is None:
        return None
    hour, minute, half = int(match[1]), int(match[2] or 0), (match[3] or "").lower()
    if half:
        hour = hour % 12 + (12 if half.startswith("p") else 0)
    if hour > 23 or minute > 59:
        return None
    local = time.localtime(now)
    seconds = (hour - local.tm_hour) * 3600 + (minute - local.tm_min) * 60 - local.tm_sec
    return max(seconds % 86_400, MIN_RESET_WAIT)


def _read_json(spec: dict[str, Any], stdout: str) -> Reading:
    value = _parse_json(stdout)
    if value is None:
        return Reading(stdout, structured=False)
    text = _text_at(value, spec.get("result_path"), default=stdout)
    error = _error_at(value, spec.get("error_path"))
    if error is True:  # a flag: what was wrong stands where the result would be
        error = text.strip() or "the program reported an error"
    ignored: list[str] = []
    return Reading(text, error, _usage(spec, value, ignored), ignored=tuple(ignored))


def _read_jsonl(instrument: Instrument, stdout: str) -> Reading:
    spec, errors = instrument.output, instrument.errors
    texts: list[str] = []
    error: str | None = None
    usage: dict[str, float] = {}
    ignored: list[str] = []
    limited = seen = False
    for event in _events(stdout):
        seen = True
        kind = errors.get("rate_limit_event_type")
        if kind and _is_event(event, kind, errors.get("rate_limit_event_filter") or {}):
            limited = True
        found = _error_at(event, spec.get("error_path"))
        error = "the program reported an error" if found is True else found or error
        complete = _is_event(
            event, spec.get("completion_event_type"), spec.get("completion_event_filter") or {}
        )
        if complete:
            text = _text_at(event, spec.get("result_path"), default="")
            if text:
                texts.append(text)
        if complete or spec.get("aggregate_tokens"):
            for name, value in _usage(spec, event, ignored).items():
                usage[name] = usage.get(name, 0) + value if spec["aggregate_tokens"] else value
    if not seen:
        return Reading(stdout, structured=False)
    # The last complete message is the answer; earlier ones are steps on the way.
    usage = {name: value for name, value in usage.items() if _usable(name, value, ignored)}
    told = tuple(dict.fromkeys(ignored))[:MAX_STARTS]
    return Reading(texts[-1] if texts else "", error, usage, rate_limited=limited, ignored=told)


# NaN and Infinity are no JSON; as text they are what the program wrote.
_DECODER = json.JSONDecoder(parse_constant=str)


def _parse_json(text: str) -> Any:
    """The JSON value in a text, also one that notices stand before or after."""
    try:
        return _DECODER.decode(text)
    except (ValueError, RecursionError):
        pass
    for match in itertools.islice(re.finditer(r"^[{\[]", text, re.MULTILINE), MAX_STARTS):
        try:
            return _DECODER.raw_decode(text, match.start())[0]
        except (ValueError, RecursionError):
            continue
    return None


def _events(stdout: str) -> Iterator[dict[str, Any]]:
    for line in stdout.splitlines():
        if line.startswith("{"):
            try:
                value = _DECODER.decode(line)
            except (ValueError, RecursionError):
                continue
            if isinstance(value, dict):
                yield value


def _is_event(event: dict[str, Any], kind: str | None, filters: dict[str, Any]) -> bool:
    if kind and event.get("type") != kind:
        return False
    return all(wanted in _find(event, path) for path, wanted in filters.items())


_INDEX = re.compile("-?[0-9]{1,9}")


def _find(value: Any, path: str | None) -> list[Any]:
    """Every value at a dotted path; ``*`` stands for each entry of a map or a list."""
    if not path:
        return []
    found = [value]
    for part in path.split("."):
        step: list[Any] = []
        for item in found:
            if part == "*":
                step += (
                    item.values()
                    if isinstance(item, dict)
                    else item
                    if isinstance(item, list)
                    else []
                )
            elif isinstance(item, dict) and part in item:
                step.append(item[part])
            elif isinstance(item, list) and _INDEX.fullmatch(part):
                index = int(part)
                if -len(item) <= index < len(item):
                    step.append(item[index])
        found = step
    return found


def _text_at(value: Any, path: str | None, *, default: str) -> str:
    found = [item for item in _find(value, path) if item is not None]
    if not found:
        return default
    return "".join(map(_as_text, found))


def _error_at(value: Any, path: str | None) -> str | Literal[True] | None:
    """The error at the path, True for a bare flag; false, null and empty text are none."""
    found = [item for item in _find(value, path) if item]
    if not found:
        return None
    first = found[0]
    if first is True:
        return True
    return _as_text(first)


def _as_text(value: Any) -> str:
    """A value as text that can be stored and sent: JSON can spell half of a character."""
    try:
        text = value if isinstance(value, str) else json.dumps(value)
    except RecursionError:
        return "(nested too deeply to be shown)"
    return (
        text if text.isascii() else text.encode("utf-8", "surrogatepass").decode(errors="replace")
    )


def _usage(spec: dict[str, Any], value: Any, ignored: list[str]) -> dict[str, float]:
    usage: dict[str, float] = {}
    for name, path in (
        ("input_tokens", spec.get("input_tokens_path")),
        ("output_tokens", spec.get("output_tokens_path")),
        ("cost_usd", spec.get("cost_path")),
    ):
        found = [item for item in _find(value, path) if item is not None]
        numbers = [item for item in found if _usable(name, item, ignored)]
        if numbers and _usable(name, sum(numbers), ignored):
            usage[name] = sum(numbers)
    return usage


def _usable(name: str, value: Any, ignored: list[str]) -> bool:
    """Whether this can be a number of tokens or a cost; what cannot is noted."""
    good = type(value) in (int, float) and 0 <= value <= MOST  # NaN is on no side of anything
    if good and name != "cost_usd":
        good = value == int(value)
    if not good and len(ignored) < MAX_STARTS:
        ignored.append(f"{name} cannot be {_as_text(value)[:80]}")
    return good


def _with_cost(reading: Reading, costs: dict[str, float]) -> Reading:
    """Adds the cost by the profile's prices where the program did not name one."""
    usage = dict(reading.usage)
    if costs and "cost_usd" not in usage and ("input_tokens" in usage or "output_tokens" in usage):
        spent = usage.get("input_tokens", 0) * costs["input"]
        spent += usage.get("output_tokens", 0) * costs["output"]
        usage["cost_usd"] = spent / 1000
        if not _usable("cost_usd", usage["cost_usd"], []):
            del usage["cost_usd"]
    return replace(reading, usage=usage)


@lru_cache(maxsize=256)
def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(text, re.IGNORECASE | re.MULTILINE)


def _first_match(patterns: Any, text: str) -> str | None:
    """The line in which a pattern is found, shortened."""
    for pattern in patterns:
        match = _pattern(pattern).search(text)
        if match:
            start = text.rfind("\n", 0, match.start()) + 1
            end = text.find("\n", match.end())
            return text[start : end if end >= 0 else None].strip()[:300]
    return None

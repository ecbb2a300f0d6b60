"""Anything at all at every door: no part dies, nothing hangs for five seconds, nobody sees a
traceback.

500 cases in the usual run, of a seed that changes and is printed where one fails. ``scripts/fuzz``
runs more of them.
"""

from __future__ import annotations

import os
import random
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgpack
import pytest
import zmq
from hypothesis import HealthCheck, example, given, seed, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parents[1] / "e2e"))

from e2e_marianne import Marianne, until

from ipc import codec, errors
from ipc.errors import CodecError
from marianne.daemon.api import handlers
from marianne.daemon.config import ConfigError, load_config
from marianne.daemon.services.parse_child import parse
from marianne.daemon.shared.parsed import ParseRequest
from marianne.home import Home
from marianne.instruments.output import diagnose, read_output
from marianne.instruments.planned import from_profile
from marianne.instruments.profile import Profile
from marianne.model.result import AttemptResult
from marianne.run.acceptable import UnacceptableError, check
from marianne.run.said import said

pytestmark = pytest.mark.slow

CASES = int(os.environ.get("MARIANNE_FUZZ_CASES", "500"))
SEED = int(os.environ.get("MARIANNE_FUZZ_SEED") or random.SystemRandom().randrange(2**32))
HANGS = 5_000
"""Milliseconds that one case may take."""

SCORES = sorted(Path(__file__).parents[2].glob("examples/*.yaml"))
SCORES += sorted((Path(__file__).parents[1] / "compat" / "scores").glob("*.yaml"))
CODES = set(errors.CODES) - {errors.INTERNAL}


def fuzz(share: float, **strategies: st.SearchStrategy[Any]) -> Callable[..., Any]:
    """This share of all the cases, reproducible by the printed seed."""

    def decorate(test: Callable[..., None]) -> Callable[..., None]:
        limits = settings(
            max_examples=max(1, int(CASES * share)),
            deadline=HANGS,
            database=None,
            print_blob=False,
            suppress_health_check=list(HealthCheck),
        )
        decorated: Callable[..., None] = seed(SEED)(limits(given(**strategies)(test)))
        return decorated

    return decorate


@pytest.fixture(autouse=True)
def seeded(capsys: pytest.CaptureFixture[str]) -> None:
    print(f"again with: scripts/fuzz --seed {SEED} --cases {CASES}")


# -- values that hurt ----------------------------------------------------------------------------

numbers = st.one_of(
    st.integers(-(2**63), 2**64 - 1),
    st.sampled_from([0, 1, -1, 2**31, 2**63 - 1, 2**63, 2**64 - 1, -(2**63)]),
    st.floats(),
)
texts = st.one_of(
    st.text(max_size=20),
    st.sampled_from(["", "\0", "x\0", "..", "/", "/dev/zero", "/dev/tty", "%s%n", "' OR 1=1 --"]),
    st.sampled_from(["a*", "%", "_", "-1", "\x1b]0;x\x07", "😀" * 100, "a/b", "a" * 5_000, "..\n"]),
)
scalars = st.one_of(st.none(), st.booleans(), numbers, texts, st.binary(max_size=20))
values = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(st.one_of(texts, st.integers(-5, 5)), inner, max_size=4),
    ),
    max_leaves=12,
)


# -- requests ------------------------------------------------------------------------------------


class Door:
    """A conductor whose socket is spoken to by hand."""

    def __init__(self, marianne: Marianne) -> None:
        self.marianne = marianne
        self._context: Any = zmq.Context()
        self.socket = self._context.socket(zmq.DEALER)
        self.socket.setsockopt(zmq.LINGER, 0)
        self.socket.connect(f"ipc://{marianne.home}/conductor.sock")

    def ask(self, frame: bytes, request_id: str) -> dict[str, Any] | None:
        """The reply; None when there is none in time. Those to other requests are dropped."""
        self.socket.send(frame)
        while self.socket.poll(HANGS):
            reply: dict[str, Any] = msgpack.unpackb(self.socket.recv(), strict_map_key=False)
            if reply["id"] == request_id:
                return reply
        return None

    def close(self) -> None:
        self.socket.close(0)
        self._context.term()


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    marianne = Marianne(tmp_path_factory.mktemp("fuzz"))
    marianne("start")
    done = "sheets:\n  - {name: a, run: 'true'}\n"
    marianne.submit("done", done)
    marianne.wait("done")
    door = Door(marianne)
    yield door
    nodes = marianne.tree().values()
    door.close()
    marianne("stop", "--force", code=None)
    until(lambda: not marianne.processes())
    assert [node for node in nodes if node["restarts"] or node["last_crash"]] == []
    # A traceback would be in the log; what a handler did not foresee is in it as handler_failed.
    log = (marianne.home / "logs" / "conductor.log").read_text()
    assert "handler_failed" not in log
    assert "Traceback" not in log


# Those that would end the conductor, crash a part of it, or wait for a job's end.
ASKED = sorted(set(handlers.METHODS) - {"daemon.shutdown", "daemon.fault", "job.wait"})
FIELDS = sorted(
    {name for m in ASKED if (model := handlers.find(m).Params) for name in model.model_fields}
)


def _params(method: str) -> st.SearchStrategy[dict[str, Any]]:
    model = handlers.find(method).Params
    names = list(model.model_fields) if model else FIELDS
    good = st.sampled_from(["done", "don", ["done"], 1, [1], "completed", ["completed"], True])
    score = st.sampled_from([path.read_text() for path in SCORES])
    each = {name: st.one_of(values, good) for name in names}
    if "score" in each:
        each |= {"score": st.one_of(values, score), "dry_run": st.just(value=True)}
    return st.fixed_dictionaries({}, optional=each)


requests = st.sampled_from(ASKED).flatmap(lambda m: st.tuples(st.just(m), _params(m)))


@pytest.mark.e2e
@fuzz(0.3, request=requests, again=st.booleans())
def test_any_request_is_answered_with_a_result_or_a_code(
    door: Door, request: tuple[str, dict[str, Any]], again: bool
) -> None:
    method, params = request
    if method == "job.submit":
        params["dry_run"] = True
    request_id = os.urandom(8).hex()
    whole = {"v": 1, "id": request_id, "method": method, "params": params, "deadline_ms": 4_000}
    frame = msgpack.packb(whole)
    for _ in range(1 + again):
        reply = door.ask(frame, request_id)
        assert reply is not None, (method, params)
        assert reply["ok"] or reply["error"]["code"] in CODES, (method, params, reply)


@pytest.mark.e2e
@fuzz(0.1, frame=st.one_of(values.map(msgpack.packb), st.binary(max_size=200)))
def test_any_frame_leaves_the_next_request_answered(door: Door, frame: bytes) -> None:
    door.socket.send(frame)
    request_id = os.urandom(8).hex()
    whole = {"v": 1, "id": request_id, "method": "hello"}
    reply = door.ask(msgpack.packb(whole), request_id)
    assert reply is not None
    assert reply["ok"]


# -- scores and configuration --------------------------------------------------------------------

yaml_pieces = st.sampled_from(
    [
        *("{", "}", "[", "]", ": ", "- ", "&a ", "*a", "<<: *a", "!!python/object:os.system ", "|"),
        *(
            "1e308",
            ".nan",
            "-.inf",
            "9223372036854775808",
            "null",
            "~",
            "\t",
            "\0",
            "\ufeff",
            "---",
        ),
        *(
            "{{ 1/0 }}",
            "{{ x }}",
            "{% for a in b %}",
            "{{ ''.__class__ }}",
            "{{ previous_outputs }}",
        ),
        *("9999999999", "-1", "0", "''", '"', "needs: [a]", "name: a", "run: |", "2024-01-01", "é"),
    ]
)


@st.composite
def mangled(draw: Any, texts: list[str]) -> str:
    """One of the texts with some of its lines cut, doubled, moved, or filled with other things."""
    lines = draw(st.sampled_from(texts)).split("\n")
    for _ in range(draw(st.integers(1, 6))):
        at = draw(st.integers(0, len(lines) - 1))
        line = lines[at]
        cut = draw(st.integers(0, len(line)))
        how = draw(st.integers(0, 4))
        piece = draw(st.one_of(yaml_pieces, st.text(max_size=8)))
        if how == 0:
            lines[at] = line[:cut] + piece + line[cut:]
        elif how == 1:
            head, colon, _ = line.partition(":")
            lines[at] = f"{head}{colon} {piece}"
        elif how == 2:
            lines[at : at + 1] = [line, line]
        elif how == 3 and len(lines) > 1:
            del lines[at]
        else:
            lines[at] = " " * draw(st.integers(0, 6)) + line
    return "\n".join(lines)


@fuzz(0.25, text=mangled([path.read_text() for path in SCORES]))
def test_any_score_is_a_plan_or_has_problems(text: str) -> None:
    request = ParseRequest(
        path="/nowhere/score.yaml",
        text=text,
        base_dir="/nowhere",
        workspace=None,
        variables={},
        instruments="/nowhere/instruments",
        search_path=os.defpath,
    )
    found = parse(request)
    msgpack.packb(found)
    assert "plan" in found or all(problem["message"] for problem in found["problems"])


CONFIGURATION = (
    Path(__file__).parents[1] / "marianne" / "daemon" / "conductor_v1.yaml"
).read_text()


@fuzz(0.1, text=mangled([CONFIGURATION]))
def test_any_configuration_is_one_or_has_problems(
    tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    home = Home(tmp_path_factory.getbasetemp() / "configured")
    home.path.mkdir(mode=0o700, exist_ok=True)
    (home.path / "conductor.yaml").write_text(text, errors="replace")
    problems: object = "none"
    try:
        dict(load_config(home).config.values())
    except ConfigError as error:
        problems = error.problems
    assert problems


# -- what programs print, and what workers say ---------------------------------------------------

json_pieces = st.sampled_from(
    [
        *("{", "}", "[", "]", ",", ":", '"', "\\ud800", "\\", "\n", "NaN", "1e400", "-Infinity"),
        *("9" * 40, "-5", "0.5", "true", "null", '"text"', '"error"', '"in"', '"cost"', '"type"'),
        *('{"text": "a", "in": 5}\n', '{"type": "result", "cost": 1}\n', "\0", "\ufffd", "é"),
        *("rate limit", "retry after 9999999999999999999", "resets at 99:99", "limit|9999999999"),
    ]
)
printed = st.lists(st.one_of(json_pieces, st.text(max_size=5)), max_size=30).map("".join)
PATHS = {
    "result_path": "text",
    "error_path": "error",
    "input_tokens_path": "*.in",
    "output_tokens_path": "in",
    "cost_path": "cost",
}


@fuzz(0.15, out=printed, err=printed, kind=st.sampled_from(["text", "json", "jsonl"]))
def test_any_output_is_read_as_something_that_can_be_kept(out: str, err: str, kind: str) -> None:
    cli = {
        "command": {"executable": "a"},
        "output": {"format": kind, **PATHS, "aggregate_tokens": len(out) % 2 == 0},
        "errors": {"rate_limit_patterns": ["rate limit"], "capacity_patterns": ["resets"]},
    }
    prices = [{"name": "m", "cost_per_1k_input": 1e9, "cost_per_1k_output": 0.1}]
    profile = Profile.model_validate({"name": "a", "models": prices, "cli": cli})
    instrument = from_profile(profile, "m")
    reading = read_output(instrument, out)
    why = diagnose(instrument, err, reading)
    result = AttemptResult(
        1,
        1,
        "failed",
        1.0,
        2.0,
        message=(why.message if why else reading.error or "")[:500],
        retry_after=why.wait if why else None,
        usage=dict(reading.usage),
    )
    check(result.to_map())
    codec.pack(result.to_map())
    if kind != "text" and reading.structured:
        reading.text.encode()


GOOD_RESULT = AttemptResult(1, 1, "completed", 1.0, 2.0, serial=1).to_map()
SAID = ("round", "running", "queued", "ended", "unacked", "started", "sheets")
frames = st.one_of(
    values,
    st.fixed_dictionaries(
        {
            "kind": st.sampled_from(["hello", "results", "withdrawn", "bye", "other"]),
        },
        optional={
            "results": st.lists(
                st.one_of(
                    values,
                    st.dictionaries(st.sampled_from(sorted(GOOD_RESULT)), values, max_size=3).map(
                        lambda change: {**GOOD_RESULT, **change}
                    ),
                ),
                max_size=3,
            ),
            **dict.fromkeys(SAID, values),
        },
    ),
)


@example(message={"kind": "results", "results": [None]})
@fuzz(0.1, message=frames)
def test_whatever_a_worker_says_is_refused_or_can_be_kept(message: Any) -> None:
    try:
        taken = said(codec.unpack(codec.pack(message)))
    except (CodecError, UnacceptableError):
        return
    for result in taken.get("results", ()):
        check(result)
    codec.pack(taken)

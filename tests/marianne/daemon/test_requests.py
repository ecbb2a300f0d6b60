"""What comes in from a client, and how what went wrong inside becomes its answer."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from handler_stage import Desk, desk_in
from pydantic import TypeAdapter, ValidationError

from actors import ActorDied, AskTimeout, ExitReason, Future, MailboxFull, NoSuchActor
from ipc import codec
from ipc.envelope import Request
from marianne.daemon.api import reload
from marianne.daemon.api.request_context import error_of
from marianne.daemon.api.selection import Selection, each
from marianne.daemon.api.server import Server
from marianne.daemon.config import load_config
from marianne.daemon.shared import edge
from marianne.daemon.shared.idempotency import hash_of
from marianne.daemon.shared.refusal import Refused
from marianne.daemon.shared.status_cache import Packed
from marianne.daemon.types import DaemonStatus, JobRequest, JobResponse
from marianne.state.changes import RememberReply
from marianne.state.errors import (
    DatabaseCorrupt,
    DuplicateRequest,
    NoSuchJob,
    OtherRequest,
    StoreFull,
)
from marianne.state.models import JobStatus


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with desk_in(tmp_path) as desk:
        yield desk


# -- types --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "fits", "unfit"),
    [
        (edge.Row, [0, edge.INT64], [-1, edge.INT64 + 1, 0.5]),
        (edge.Sheet, [0, edge.INT32], [-1, edge.INT32 + 1]),
        (edge.Attempt, [1], [0]),
        (edge.Seconds, [0, 0.5, edge.LONGEST_SECONDS], [-1, float("inf"), float("nan"), 1e12]),
        (edge.Name, ["", "x" * edge.LONGEST_NAME], ["x" * (edge.LONGEST_NAME + 1), "a\0"]),
        (edge.ClientPath, ["a", "/b", "x" * edge.LONGEST_PATH], ["a\0", "é" * edge.LONGEST_PATH]),
    ],
)
def test_a_value_that_gets_in_fits_where_it_is_kept(
    kind: Any, fits: list[Any], unfit: list[Any]
) -> None:
    takes = TypeAdapter(kind)
    for value in fits:
        takes.validate_python(value)
    for value in unfit:
        with pytest.raises(ValidationError):
            takes.validate_python(value)


@pytest.mark.parametrize("unfit", [{"A=": "x"}, {"": "x"}, {"A": "\0"}, {b"A": b"\0"}])
def test_no_program_could_be_given_such_a_variable(unfit: Any) -> None:
    JobRequest(score="x", environment={"A": "x", b"B": b"\xff"})
    with pytest.raises(ValidationError, match="a name has no ="):
        JobRequest(score="x", environment=unfit)


def test_one_variable_has_128_kib_at_most_name_and_all() -> None:
    most = edge.LONGEST_VARIABLE - len("A") - 2
    JobRequest(score="x", environment={"A": "x" * most})
    with pytest.raises(ValidationError, match="128 KiB"):
        JobRequest(score="x", environment={"A": "x" * (most + 1)})


def test_a_request_hides_what_is_secret_and_says_what_it_lacks() -> None:
    request = JobRequest(score="password: s3cret", environment={"KEY": "s3cret"})
    assert "s3cret" not in repr(request)
    assert (request.priority, request.hooks) == (5, True)
    with pytest.raises(ValidationError, match="give config_path or score"):
        JobRequest()
    assert JobRequest.model_validate({"score": "x", "of_a_later_version": 1}).score == "x"


def test_the_answers_are_the_documented_ones() -> None:
    assert JobResponse(job_id="a", status="accepted").warnings == []
    with pytest.raises(ValidationError):
        JobResponse.model_validate({"job_id": "a", "status": "fine"})
    assert list(DaemonStatus.model_fields) == [
        *("pid", "uptime_seconds", "running_jobs", "total_jobs_active", "memory_usage_mb"),
        "version",
    ]


# -- errors -------------------------------------------------------------------------------------


ERRORS: list[tuple[BaseException, str]] = [
    (Refused("conflict", "no"), "conflict"),
    (NoSuchActor("manager"), "unavailable"),
    (MailboxFull("manager"), "unavailable"),
    (AskTimeout("late"), "deadline"),
    (NoSuchJob("no job 'a'"), "not_found"),
    (OtherRequest("used"), "bad_request"),
    (DuplicateRequest("r"), "unavailable"),
    (StoreFull("the disk is full"), "pressure"),
    (ValueError("ours"), "internal"),
]


@pytest.mark.parametrize(("error", "code"), ERRORS)
def test_every_error_has_a_code_that_says_whose_turn_it_is(
    desk: Desk, error: BaseException, code: str
) -> None:
    assert error_of(error, desk.call()).code == code


def test_a_request_that_kills_its_actor_twice_is_not_tried_again(desk: Desk) -> None:
    died = ActorDied("manager", ExitReason("error", "it crashed"), serving=True)
    codes = [error_of(died, desk.call("one")).code for _ in range(2)]
    assert codes == ["unavailable", "internal"]
    assert error_of(died, desk.call("other")).code == "unavailable"


def test_a_damaged_database_ends_the_conductor_for_good(desk: Desk) -> None:
    asked: list[Any] = []
    desk.context.stop = SimpleNamespace(ask=lambda mode, why: asked.append((mode, why)))
    assert error_of(DatabaseCorrupt("damaged"), desk.call()).code == "internal"
    assert asked == [("unusable", "damaged")]


# -- several jobs -------------------------------------------------------------------------------


def chosen(desk: Desk, **named: Any) -> list[str]:
    return Selection.model_validate(named).resolve(desk.call())


def test_jobs_are_chosen_by_name_by_status_or_all_and_each_once(desk: Desk) -> None:
    desk.insert("one", "two")
    desk.insert("over", status=JobStatus.FAILED)
    assert chosen(desk, ids=["on", "one"]) == ["one"]
    assert chosen(desk, all=True) == ["two", "one"]
    assert chosen(desk, ids=["one"], statuses=["failed"]) == ["one", "over"]
    with pytest.raises(Refused, match="no job was named"):
        chosen(desk)


def gathered(desk: Desk, answer: Any, **named: Any) -> Future[dict[str, Any]]:
    desk.post.answer = answer
    manager = desk.context.manager.within(1.0)

    def pause_job(*args: Any) -> None:
        raise AssertionError("only its name is asked for")

    selection = Selection.model_validate(named)
    return each(desk.call("r"), selection, lambda *job: manager.call(pause_job, *job))


def test_the_answer_of_several_has_each_jobs_own_in_their_order(desk: Desk) -> None:
    desk.insert("one", "two")

    def answer(job_id: str, request_id: str) -> dict[str, Any]:
        if job_id == "two":
            raise Refused("conflict", "it is over", hint="retry it")
        return {"status": "paused"}

    found = gathered(desk, answer, ids=["two", "one"]).get(1.0)
    assert found["jobs"] == [
        {
            "job_id": "two",
            "ok": False,
            "error": {"code": "conflict", "message": "it is over", "hint": "retry it"},
        },
        {"job_id": "one", "status": "paused", "ok": True, "error": None},
    ]
    assert [asked[2:] for asked in desk.post.asked] == [("two", "r/two"), ("one", "r/one")]


def test_what_passes_by_is_the_answer_of_all_so_that_the_client_asks_again(desk: Desk) -> None:
    desk.insert("one", "two")

    def answer(job_id: str, request_id: str) -> dict[str, Any]:
        if job_id == "two":
            raise NoSuchActor("manager")
        return {}

    future = gathered(desk, answer, ids=["one", "two"])
    error = future.outcome().error
    assert isinstance(error, Refused)
    assert error.code == "unavailable"


def test_which_jobs_were_meant_is_kept_before_the_first_is_asked(desk: Desk) -> None:
    desk.insert("one", "two")
    gathered(desk, lambda *args: {}, all=True).get(1.0)
    (store, write, changes, *_), *rest = desk.post.asked
    assert (store, write) == ("store", "write")
    assert codec.unpack(changes[0].reply) == ["two", "one"]
    assert [asked[2] for asked in rest] == ["two", "one"]
    # A resend means those, though the jobs in that state are others by now.
    desk.write(RememberReply("r/", codec.pack(["one"]), 1.0, b"asked"))
    desk.post.asked.clear()
    gathered(desk, lambda *args: {}, all=True).get(1.0)
    assert [asked[2] for asked in desk.post.asked] == ["one"]


def test_no_job_in_a_state_is_an_empty_answer(desk: Desk) -> None:
    assert gathered(desk, lambda *args: {}, statuses=["paused"]).get(1.0) == {"jobs": []}


# -- the server ---------------------------------------------------------------------------------


class Answers:
    """Takes the place of a socket's responder."""

    def __init__(self) -> None:
        self.told: list[Any] = []

    def remaining(self) -> float:
        return 5.0

    def ok(self, value: Any) -> None:
        self.told.append(value)

    def ok_packed(self, value: bytes) -> None:
        self.told.append(("packed", value))

    def error(self, code: str, message: str, **more: Any) -> None:
        self.told.append((code, message))


def served(
    desk: Desk, method: str, *, serving: bool = True, **params: Any
) -> tuple[Server, Answers]:
    desk.context.serving = serving
    server = Server(desk.context)
    server._reader = server._quick_reader = desk.reader
    answers = Answers()
    request = Request(id="r", method=method, params=params, deadline_ms=5_000)
    server.request(request, answers)  # type: ignore[arg-type]
    return server, answers


def test_every_request_gets_one_answer_whatever_it_asks(desk: Desk) -> None:
    desk.insert("one")
    assert served(desk, "nonsense")[1].told[0][0] == "unknown_method"
    assert served(desk, "job.explain")[1].told[0][0] == "invalid_params"
    assert served(desk, "job.explain", job_id="nobody")[1].told[0][0] == "not_found"
    desk.post.answer = lambda *args: {"sheets": []}
    assert served(desk, "job.explain", job_id="one")[1].told == [{"sheets": []}]
    desk.post.answer = lambda *args: Packed(b"bytes")
    assert served(desk, "job.explain", job_id="one")[1].told == [("packed", b"bytes")]


def test_what_is_quick_is_answered_where_it_was_read_and_the_rest_by_the_actor(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    server, _ = served(desk, "hello")
    told: list[str] = []

    def tell(method: Any, request: Request, responder: Any) -> None:
        told.append(request.method)

    monkeypatch.setattr(Server, "ref", SimpleNamespace(tell=tell), raising=False)
    cache = desk.context.status_cache
    cache.keep(cache.mark(), "one", 1, 5_000, Packed(b"bytes"))
    served(desk, "job.status", job_id="one")  # asked for once, it is known
    answers: Any = Answers()
    params = {"job_id": "one"}
    for method in ("job.status", "hello"):
        server._arrived(Request("r", method, params), answers)
    assert answers.told == [("packed", b"bytes")]
    assert told == ["hello"]
    desk.context.serving = False
    server._arrived(Request("r", "job.status", params), answers)
    assert told == ["hello", "job.status"]


def test_who_comes_before_the_conductor_is_ready_is_answered_when_it_is(desk: Desk) -> None:
    server, answers = served(desk, "hello", serving=False)
    assert answers.told == []
    desk.context.serving = True
    server.open()
    assert answers.told[0]["protocol"] == 1


def test_a_change_that_was_decided_is_answered_from_disk_and_not_asked_again(desk: Desk) -> None:
    desk.insert("one")
    params = {"job_id": "one"}
    reply = codec.pack({"status": "queued"})
    desk.write(RememberReply("r", reply, 1.0, hash_of("job.retry", params)))
    assert served(desk, "job.retry", **params)[1].told == [("packed", reply)]
    assert desk.post.asked == []
    assert served(desk, "job.retry", job_id="other")[1].told[0][0] == "bad_request"


# -- reload -------------------------------------------------------------------------------------


def test_what_needs_a_restart_keeps_its_value_and_is_named(desk: Desk) -> None:
    file, empty = desk.home.path / "conductor.yaml", desk.home.path / "empty.yaml"
    empty.write_text("")
    file.write_text("max_concurrent_jobs: 3\nlog_level: debug\npid_file: /elsewhere\n")
    config = load_config(desk.home, path=empty).config
    desk.context.config, desk.context.config_path, desk.context.origins = config, file, {}
    desk.context.service = SimpleNamespace(limits=lambda config: config)
    told = reload.reload(desk.context)
    assert "max_concurrent_jobs" in told["applied"]
    assert told["restart_needed"] == ["pid_file"]
    ((_, method, applied),) = desk.post.asked
    assert (method, applied.max_concurrent_jobs) == ("apply_config", 3)
    assert applied.pid_file == config.pid_file


def test_a_configuration_that_does_not_fit_changes_nothing_and_is_named_with_its_line(
    desk: Desk,
) -> None:
    file = desk.home.path / "conductor.yaml"
    file.write_text("\nmax_concurrent_jobs: many\n")
    desk.context.config_path = file
    with pytest.raises(Refused) as refused:
        reload.reload(desk.context)
    assert refused.value.data is not None
    (problem,) = refused.value.data["problems"]
    assert (problem["line"], problem["path"]) == (2, "max_concurrent_jobs")
    assert desk.post.asked == []


def test_what_reads_files_is_done_in_a_thread_of_its_own_and_its_error_is_the_answer(
    desk: Desk,
) -> None:
    here = threading.get_ident()

    def work(context: Any) -> dict[str, Any]:
        return {"elsewhere": threading.get_ident() != here}

    assert reload.aside(desk.context, work).get(5.0) == {"elsewhere": True}

    def fails(context: Any) -> dict[str, Any]:
        raise Refused("invalid_params", "no")

    with pytest.raises(Refused, match="no"):
        reload.aside(desk.context, fails).get(5.0)


def test_where_no_thread_can_be_had_the_client_is_to_ask_again(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_thread(self: object) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", no_thread)
    future = reload.aside(desk.context, lambda context: {})
    with pytest.raises(Refused, match="no thread") as refused:
        future.get(5.0)
    assert refused.value.code == "unavailable"

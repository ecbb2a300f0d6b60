"""Verbs that change jobs: selection, questions before harm, one result a job."""

from __future__ import annotations

import pytest
from cli_fake import Refuse


def done(*ids: str, status: str = "cancelled") -> dict[str, object]:
    entry = {"status": status, "ok": True, "error": None}
    return {"jobs": [{"job_id": job, **entry} for job in ids]}


def refused(job: str, code: str, message: str) -> dict[str, object]:
    return {"job_id": job, "ok": False, "error": {"code": code, "message": message, "hint": None}}


@pytest.mark.parametrize(
    ("verb", "word"),
    [
        ("cancel", "cancelled"),
        ("cancel", "completed"),  # its last sheet had just ended
        ("pause", "pausing"),
        ("pause", "paused"),
    ],
)
def test_jobs_are_selected_by_id_and_each_says_what_it_is_now(
    marianne, conductor, verb, word
) -> None:
    conductor.answers[f"job.{verb}"] = done("a", "b", status=word)
    told = marianne(verb, "a", "b")
    assert told.code == 0
    assert told.out == f"a: {word}\nb: {word}\n"
    assert conductor.params(f"job.{verb}") == {"ids": ["a", "b"], "all": False, "statuses": []}


def test_jobs_are_selected_by_status_or_all(marianne, conductor) -> None:
    conductor.answers["job.resume"] = done()
    told = marianne("resume", "--status", "paused")
    assert (told.code, told.out) == (0, "")
    assert "no job was selected" in told.err
    assert conductor.params("job.resume")["statuses"] == ["paused"]
    marianne("resume", "--all")
    assert conductor.params("job.resume")["all"] is True


def test_one_job_that_is_refused_is_the_error_of_the_whole(marianne, conductor) -> None:
    conductor.answers["job.cancel"] = {"jobs": [refused("a", "conflict", "a is cancelled already")]}
    told = marianne("cancel", "a", "--json")
    assert told.code == 5
    assert told.json["error"]["code"] == "conflict"


def test_of_several_jobs_each_result_is_told(marianne, conductor) -> None:
    answer = {"jobs": [*done("a")["jobs"], refused("b", "conflict", "it has ended")]}
    conductor.answers["job.cancel"] = answer
    told = marianne("cancel", "a", "b")
    assert told.code == 5
    assert told.out == "a: cancelled\n"
    assert "b: it has ended" in told.err
    assert marianne("cancel", "a", "b", "--json").json == answer


@pytest.mark.parametrize(
    "argv", [("cancel", "a"), ("clear",), ("stop", "--cancel")], ids=lambda argv: argv[0]
)
def test_on_a_terminal_harm_is_asked_for_and_no_changes_nothing(
    marianne, conductor, monkeypatch, argv
) -> None:
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("click.confirm", lambda *_a, **_k: False)
    told = marianne(*argv)
    assert told.code == 1
    assert "nothing was done" in told.err
    assert {method for method, _ in conductor.asked} <= {
        "job.list",
        "job.status",
    }  # what it would end


def test_yes_asks_nothing(marianne, conductor, monkeypatch) -> None:
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("click.confirm", lambda *_a, **_k: pytest.fail("asked"))
    conductor.answers["job.clear"] = {"deleted": 2, "jobs": ["a", "b"]}
    told = marianne("clear", "--yes", "--older-than", "7d")
    assert told.out == "2 jobs forgotten\n"
    assert conductor.params("job.clear") == {
        "ids": None,
        "statuses": None,
        "older_than_seconds": 604_800.0,
    }


def test_clear_refuses_jobs_that_have_not_ended(marianne, conductor) -> None:
    told = marianne("clear", "--status", "running")
    assert told.code == 2
    assert conductor.asked == []


def test_retry_takes_sheets_by_number_and_by_name(marianne, conductor) -> None:
    conductor.answers["job.status"] = {
        "job_id": "wc",
        "progress": {"total": 2},
        "sheets": [{"num": 1, "name": "fetch"}, {"num": 2, "name": "count"}],
    }
    conductor.answers["job.retry"] = {"job_id": "wc", "status": "queued"}
    told = marianne("retry", "wc", "1", "count")
    assert told.code == 0
    assert conductor.params("job.retry") == {"job_id": "wc", "sheets": [1, 2]}
    assert told.out == "wc: goes on\n"
    conductor.answers["job.retry"] |= {"also": [1], "message": "goes on; needed too: 1 (fetch)"}
    assert marianne("retry", "wc", "count").out == "wc: goes on; needed too: 1 (fetch)\n"
    assert marianne("retry", "wc", "nope").code == 4


def test_output_prints_the_bytes_as_they_are(marianne, conductor) -> None:
    whole = b"one\ntwo\xff\n" * 3

    def answer(params):
        start = params["offset"]
        data = whole[start : start + 10]
        return {
            "job_id": "wc",
            "sheet": 2,
            "attempt": 1,
            "path": "/x",
            "offset": start,
            "next_offset": start + len(data),
            "size": len(whole),
            "data": data,
            "ended": True,
        }

    conductor.answers["job.output"] = answer
    told = marianne("output", "wc")
    assert told.out.encode("utf-8", "surrogateescape") == whole or "two" in told.out
    assert conductor.params("job.output")["sheet"] == 2
    assert conductor.params("job.output")["stream"] == "out"
    seen = marianne("output", "wc", "2", "--stderr", "--json").json
    assert seen["size"] == len(whole)
    assert seen["text"].startswith("one\ntwo")
    assert conductor.params("job.output")["stream"] == "err"


def _in_pieces(whole: bytes, size: int = 7):
    def answer(params):
        data = whole[params["offset"] :][:size]
        after = params["offset"] + len(data)
        where = {"job_id": "wc", "sheet": 2, "attempt": 1, "path": "/x", "ended": True}
        return {**where, "offset": params["offset"], "next_offset": after, "size": len(whole),
            "data": data}  # fmt: skip

    return answer


def test_output_json_is_one_object_whatever_is_in_it(marianne, conductor) -> None:
    text = 'Größe "∑" 🎻 \\ \x1b[1m\n' * 9
    conductor.answers["job.output"] = _in_pieces(text.encode() + b"\xff\xc3")
    seen = marianne("output", "wc", "--json").json
    assert seen == {
        "job_id": "wc",
        "sheet": 2,
        "attempt": 1,
        "path": "/x",
        "text": text + "\ufffd\ufffd",
        "size": len(text.encode()) + 2,
        "ended": True,
    }


def test_output_json_of_nothing_is_an_object_too(marianne, conductor) -> None:
    conductor.answers["job.output"] = _in_pieces(b"")
    assert marianne("output", "wc", "--json").json["text"] == ""


def test_output_json_that_breaks_off_is_an_object_that_says_so(marianne, conductor) -> None:
    whole = _in_pieces(b"x" * 20)

    def answer(params):
        if params["offset"] > 10:
            raise Refuse("not_found", "it is gone")
        return whole(params)

    conductor.answers["job.output"] = answer
    told = marianne("output", "wc", "--json")
    assert told.code == 4
    assert told.json["text"] == "x" * 14
    assert told.json["error"]["message"] == "it is gone"


def test_output_json_keeps_no_more_than_a_piece(marianne, conductor) -> None:
    import tracemalloc

    whole = _in_pieces(b"0123456789abcdef" * 2**16 * 24, size=2**20)
    conductor.answers["job.output"] = whole
    tracemalloc.start()
    told = marianne("output", "wc", "--json")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert told.code == 0
    assert len(told.out) > 24 * 2**20
    # The test's own capture has the whole text once or twice; the verb would add three times it.
    assert peak < 24 * 2**20 * 4


def test_output_follow_goes_on_until_the_attempt_has_ended(marianne, conductor) -> None:
    parts = [b"a", b"", b"b", b""]

    def answer(params):
        data = parts.pop(0)
        offset = params["offset"] + len(data)
        return {
            "job_id": "wc",
            "sheet": 1,
            "attempt": 2,
            "path": "/x",
            "offset": params["offset"],
            "next_offset": offset,
            "size": offset,
            "data": data,
            "ended": not parts,
        }

    conductor.answers["job.output"] = answer
    over = {"status": "completed", "attempt": 2}
    conductor.answers["job.status"] = {"status": "running", "sheets": [over]}
    told = marianne("output", "wc", "--follow")
    assert (told.code, told.out) == (0, "ab")
    assert conductor.params("job.output")["attempt"] == 2


def test_no_such_sheet_exits_4(marianne, conductor) -> None:
    def answer(_params):
        raise Refuse("not_found", "wc has no sheet 9")

    conductor.answers["job.output"] = answer
    assert marianne("output", "wc", "9").code == 4


@pytest.mark.parametrize(
    ("argv", "mode", "seconds"),
    [
        ((), "stop", None),
        (("--drain",), "drain", None),
        (("--drain", "5m"), "drain", 300.0),
        (("--cancel", "--yes"), "cancel", None),
        (("--force",), "force", None),
    ],
)
def test_stop_asks_for_the_way_that_was_named(
    marianne, conductor, monkeypatch, argv, mode, seconds
) -> None:
    conductor.answers["daemon.shutdown"] = {"stopping": True}
    monkeypatch.setattr("marianne.cli.leaving._await_exit", lambda _pid, _until: conductor.leave())
    # The stand-in does not say that its drain was finished.
    assert marianne("stop", *argv).code == (1 if mode == "drain" else 0)
    assert conductor.params("daemon.shutdown") == {"mode": mode, "drain_seconds": seconds}


BUSY = {
    "jobs": [
        {"job_id": "a", "progress": {"running": 2}},
        {"job_id": "b", "progress": {"running": 1}},
        {"job_id": "c", "progress": {"running": 0}},
    ]
}
WORDS = "3 running sheets: 2 of a, 1 of b"


@pytest.fixture
def busy(conductor, monkeypatch):
    """A conductor of whose jobs sheets run, and which stops as it is told."""
    conductor.answers |= {"daemon.shutdown": {"stopping": True}, "job.list": BUSY}
    monkeypatch.setattr("marianne.cli.leaving._await_exit", lambda _pid, _until: conductor.leave())
    return conductor


@pytest.mark.parametrize("argv", [(), ("--force",), ("--cancel",)], ids=str)
def test_stop_asks_on_a_terminal_and_says_what_it_would_interrupt(
    marianne, busy, monkeypatch, argv
) -> None:
    asked = []
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("click.confirm", lambda question, **_k: asked.append(question))
    assert marianne("stop", *argv).code == 1
    (question,) = asked
    assert question.startswith(f"This interrupts {WORDS}. ")
    assert not any(method == "daemon.shutdown" for method, _ in busy.asked)


@pytest.mark.parametrize("argv", [("--yes",), ("--drain",)], ids=str)
def test_stop_asks_nothing_with_yes_or_where_it_interrupts_nothing(
    marianne, busy, monkeypatch, argv
) -> None:
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("click.confirm", lambda *_a, **_k: pytest.fail("asked"))
    marianne("stop", *argv)
    assert any(method == "daemon.shutdown" for method, _ in busy.asked)


def test_stop_of_an_idle_conductor_asks_nothing(marianne, busy, monkeypatch) -> None:
    busy.answers["job.list"] = {"jobs": []}
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("click.confirm", lambda *_a, **_k: pytest.fail("asked"))
    told = marianne("stop")
    assert (told.code, told.err) == (0, "")


def test_stop_without_a_terminal_acts_unasked_and_says_what_it_interrupts(marianne, busy) -> None:
    told = marianne("stop", "--json")
    assert told.code == 0
    assert told.json["running"] == [{"job_id": "a", "sheets": 2}, {"job_id": "b", "sheets": 1}]
    assert told.err == f"interrupting {WORDS}; what is interrupted runs again at the next start\n"


def test_a_conductor_that_does_not_say_what_runs_is_stopped_all_the_same(
    marianne, busy, monkeypatch
) -> None:
    monkeypatch.setattr("marianne.cli.commands.stop.LOOK_SECONDS", 0.2)
    busy.silent.add("job.list")
    assert marianne("stop").code == 0


def test_ways_to_stop_exclude_each_other(marianne, conductor) -> None:
    assert marianne("stop", "--force", "--drain").code == 2
    assert conductor.asked == []

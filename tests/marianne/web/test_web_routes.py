"""What the routes ask of the conductor, and how they answer what it says."""

from __future__ import annotations

from typing import Any

import pytest
from cli_fake import FakeConductor, Refuse
from web_stage import OURS, WRITES, ask, asked

from marianne.home import Home
from marianne.web import app as app_module
from marianne.web import output
from marianne.web.app import App

TEXT = b"one\ntwo <script>\0\n" + b"x" * 100


EMPTY_TIMELINE = {
    **dict.fromkeys(("attempts", "began", "ended", "memory_mb", "cost_usd"), ()),
    "running": (),
    "running_since": (),
    "outcomes": b"",
    "cursor": None,
    "total": 0,
}


def piece(params: dict[str, Any]) -> dict[str, Any]:
    data = TEXT[params["offset"] : params["offset"] + params["limit"]]
    return {
        **{name: params[name] for name in ("job_id", "sheet", "offset")},
        "attempt": params["attempt"] or 2,
        "path": "/p",
        "next_offset": params["offset"] + len(data),
        "size": len(TEXT),
        "data": data,
        "ended": True,
    }


def test_the_files_are_served_once_and_then_known(home: Home) -> None:
    async def play(app: App) -> None:
        first = await ask(app, "/static/main.js")
        assert (first.status, first.headers["content-type"]) == (
            200,
            "text/javascript; charset=utf-8",
        )
        again = await ask(
            app, "/static/main.js", headers={**OURS, "if-none-match": first.headers["etag"]}
        )
        assert (again.status, again.body) == (304, b"")
        for wrong in ("/static/none.js", "/static/..%2fapp.py", "/static/../app.py"):
            assert (await ask(app, wrong)).status == 404

    asked(home, play)


def test_each_page_is_the_same_file_and_asks_nothing(home: Home) -> None:
    async def play(app: App) -> None:
        first = await ask(app, "/")
        for path in ("/jobs/any", "/jobs/any/sheets/3", "/conductor"):
            told = await ask(app, path)
            assert (told.status, told.body) == (200, first.body)
        assert (await ask(app, "/jobs/any/sheets/x")).status == 404

    asked(home, play)


@pytest.mark.parametrize(
    ("path", "method", "params"),
    [
        ("names?first=7&last=9", "job.plan", {"job_id": "a b", "sheets": [7, 9]}),
        ("names", "job.plan", {"job_id": "a b", "sheets": [1, 1]}),
        ("rows?first=1&last=999999", "job.status", {"job_id": "a b", "sheets": [1, 100]}),
        ("history?sheet=4", "job.history", {"job_id": "a b", "sheet": 4, "limit": 1000}),
        ("history", "job.history", {"job_id": "a b", "sheet": None, "limit": 1000}),
        ("timeline?first=5&last=6.5", "job.timeline", {"job_id": "a b", "ended_since": 0.0}),
        ("why?sheet=2", "job.explain", {"job_id": "a b", "sheet": 2}),
    ],
)
def test_what_pages_ask_for(
    home: Home, conductor: FakeConductor, path: str, method: str, params: dict[str, Any]
) -> None:
    told = {"names": [], "sheets": [], "records": [], "status": "running"}
    conductor.answers[method] = told | (EMPTY_TIMELINE if method == "job.timeline" else {})

    async def play(app: App) -> int:
        return (await ask(app, f"/api/jobs/a%20b/{path}".replace("%20", " "))).status

    assert asked(home, play) == 200
    assert conductor.params(method) == params


def test_a_failed_job_is_told_with_its_cause(home: Home, conductor: FakeConductor) -> None:
    conductor.answers["job.explain"] = {"status": "failed"}
    conductor.answers["job.diagnose"] = {"cause": "it broke", "next": "mend it", "meta": {"a": 1}}

    async def play(app: App) -> Any:
        return (await ask(app, "/api/jobs/j/why")).json

    told = asked(home, play)
    assert told == {"explained": {"status": "failed"}, "cause": "it broke", "next": "mend it"}


@pytest.mark.parametrize(
    ("code", "status"),
    [("not_found", 404), ("conflict", 409), ("invalid_params", 400), ("odd", 500)],
)
def test_a_refusal_is_told_as_it_is(
    home: Home, conductor: FakeConductor, code: str, status: int
) -> None:
    def refuse(_params: dict[str, Any]) -> Any:
        raise Refuse(code, "no", "do this", {"secret": 1})

    conductor.answers["job.history"] = refuse

    async def play(app: App) -> Any:
        told = await ask(app, "/api/jobs/j/history")
        return told.status, told.json

    error = {"code": code, "message": "no", "hint": "do this"}
    assert asked(home, play) == (status, {"error": error})


def test_where_no_conductor_runs_it_is_said_at_once(home: Home) -> None:
    async def play(app: App) -> Any:
        told = await ask(app, "/api/config")
        return told.status, told.json["error"]["code"]

    assert asked(home, play) == (503, "no_conductor")


@pytest.mark.parametrize("wrong", ["first=x", "first=1.5", "first=²", f"first={10**20}"])
def test_a_number_that_is_none_is_refused(home: Home, wrong: str) -> None:
    async def play(app: App) -> int:
        return (await ask(app, f"/api/jobs/j/rows?{wrong}")).status

    assert asked(home, play) == 400


@pytest.mark.parametrize("wrong", ["first=x", "last=-1", "last=nan", "first=1e300"])
def test_a_time_that_is_none_is_refused(home: Home, wrong: str) -> None:
    async def play(app: App) -> int:
        return (await ask(app, f"/api/jobs/j/timeline?{wrong}")).status

    assert asked(home, play) == 400


# -- output --------------------------------------------------------------------------------------


def test_output_comes_as_bytes_with_where_it_stands(home: Home, conductor: FakeConductor) -> None:
    conductor.answers["job.output"] = piece

    async def play(app: App) -> None:
        told = await ask(app, "/api/jobs/j/sheets/3/output?offset=4&limit=5")
        assert told.body == b"two <"
        assert told.headers["content-type"] == "application/octet-stream"
        heads = {k: v for k, v in told.headers.items() if k.startswith("x-") and "-" in k[2:]}
        assert heads["x-next-offset"] == "9"
        assert (told.headers["x-size"], told.headers["x-ended"]) == (str(len(TEXT)), "true")
        last = await ask(app, "/api/jobs/j/sheets/3/output?offset=-10&limit=999999999")
        assert last.body == b"x" * 10
        whole = await ask(app, "/api/jobs/j/sheets/3/output?offset=-100000&stream=err&attempt=1")
        assert whole.body == TEXT
        assert (await ask(app, "/api/jobs/j/sheets/3/output?stream=env")).status == 400

    asked(home, play)
    assert conductor.params("job.output")["stream"] == "err"


def test_a_download_is_all_of_one_attempt(
    home: Home, conductor: FakeConductor, monkeypatch: pytest.MonkeyPatch
) -> None:
    conductor.answers["job.output"] = piece
    monkeypatch.setattr(output, "PIECE", 7)

    async def play(app: App) -> None:
        told = await ask(app, '/api/jobs/a";b/sheets/3/download')
        assert told.body == TEXT
        assert told.headers["content-disposition"] == 'attachment; filename="a__b.3.2.txt"'

    asked(home, play)
    assert {params["attempt"] for _, params in conductor.asked[2:]} == {2}


def test_a_text_is_found_also_where_two_pieces_meet(
    home: Home, conductor: FakeConductor, monkeypatch: pytest.MonkeyPatch
) -> None:
    conductor.answers["job.output"] = piece
    monkeypatch.setattr(output, "PIECE", 7)

    async def play(app: App) -> None:
        for text in ("two <script>", "one", "x" * 100):
            found = (await ask(app, f"/api/jobs/j/sheets/3/search?q={text}")).json
            assert found == {"found": TEXT.find(text.encode()), "next": None}
        nowhere = await ask(app, "/api/jobs/j/sheets/3/search?q=three")
        assert nowhere.json == {"found": None, "next": None}
        assert (await ask(app, "/api/jobs/j/sheets/3/search")).status == 400

    asked(home, play)


def test_a_search_goes_on_where_it_left_off(
    home: Home, conductor: FakeConductor, monkeypatch: pytest.MonkeyPatch
) -> None:
    conductor.answers["job.output"] = piece
    monkeypatch.setattr(output, "PIECE", 16)
    monkeypatch.setattr(output, "SEARCHED", 16)

    async def play(app: App) -> None:
        offset, asked_for = 0, 0
        while True:
            path = f"/api/jobs/j/sheets/3/search?q=xxxxx&offset={offset}"
            told = (await ask(app, path)).json
            asked_for += 1
            if told["found"] is not None:
                break
            assert told["next"] > offset
            offset = told["next"]
        assert (told["found"], asked_for > 1) == (TEXT.find(b"xxxxx"), True)

    asked(home, play)


# -- what a page may do --------------------------------------------------------------------------


@pytest.mark.parametrize("action", ["pause", "resume", "cancel"])
def test_a_page_means_its_job_alone(home: Home, conductor: FakeConductor, action: str) -> None:
    done = {"job_id": "j", "ok": True, "status": "paused", "error": None, "workspace": "/w"}
    conductor.answers[f"job.{action}"] = {"jobs": [done]}

    async def play(app: App) -> Any:
        return (await ask(app, f"/api/jobs/j/{action}", "POST", WRITES)).json

    assert asked(home, play) == {"job_id": "j", "status": "paused"}
    assert conductor.params(f"job.{action}") == {"ids": ["j"]}


def test_what_is_refused_of_one_job_is_told(home: Home, conductor: FakeConductor) -> None:
    error = {"code": "conflict", "message": "it is over", "hint": None}
    conductor.answers["job.pause"] = {"jobs": [{"job_id": "j", "ok": False, "error": error}]}

    async def play(app: App) -> Any:
        told = await ask(app, "/api/jobs/j/pause", "POST", WRITES)
        return told.status, told.json

    assert asked(home, play) == (409, {"error": error})


@pytest.mark.parametrize(
    ("body", "sheets"), [(b"{}", None), (b'{"sheets": [3, 4]}', [3, 4])], ids=["all", "some"]
)
def test_a_retry_names_its_sheets(
    home: Home, conductor: FakeConductor, body: bytes, sheets: Any
) -> None:
    conductor.answers["job.retry"] = {"job_id": "j", "status": "queued"}

    async def play(app: App) -> int:
        return (await ask(app, "/api/jobs/j/retry", "POST", WRITES, body)).status

    assert asked(home, play) == 200
    assert conductor.params("job.retry") == {"job_id": "j", "sheets": sheets}


@pytest.mark.parametrize(
    ("action", "body", "status"),
    [
        ("retry", b'{"sheets": "all"}', 400),
        ("retry", b'{"sheets": [true]}', 400),
        ("retry", b"[]", 400),
        ("pause", b"\xff", 400),
        ("clear", b"{}", 404),
    ],
)
def test_what_makes_no_sense_is_refused_before_anybody_is_asked(
    home: Home, conductor: FakeConductor, action: str, body: bytes, status: int
) -> None:
    async def play(app: App) -> int:
        return (await ask(app, f"/api/jobs/j/{action}", "POST", WRITES, body)).status

    assert asked(home, play) == status
    assert conductor.asked == []


# -- the log -------------------------------------------------------------------------------------


def test_the_end_of_the_log_is_told_in_whole_lines(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def lines(app: App) -> Any:
        return (await ask(app, "/api/log?lines=3")).json["lines"]

    assert asked(home, lines) == []
    home.log.parent.mkdir(exist_ok=True)
    home.log.write_bytes(b"a\nb\xff\nc\nd\n")
    assert asked(home, lines) == ["b\ufffd", "c", "d"]
    monkeypatch.setattr(app_module.log, "BYTES", 5)
    assert asked(home, lines) == ["c", "d"]

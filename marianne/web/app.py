"""The routes of the pages: what is asked of the conductor for each, and how it is answered.

No route looks who asks: that is the gate's, which stands before all of them (marianne.web.access).
"""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from marianne.cli.errors import CliError
from marianne.client.conductor import Conductor
from marianne.web import actions, files, log
from marianne.web.access import Access, Gate
from marianne.web.layout import drawn
from marianne.web.live import Live, Page
from marianne.web.output import SHOWN, Output
from marianne.web.refusals import HTTP, error_map
from marianne.web.shared_answers import SharedAnswers
from marianne.web.timelines import Timelines

HISTORY = 1_000
HISTORY_SECONDS = 3.0
TIMELINE_SECONDS = 5.0
WHY_SECONDS = 2.0
SHOWN_OF = (
    *("sheet", "name", "attempt", "outcome", "started_at", "finished_at", "duration_seconds"),
    *("peak_memory_mb", "cpu_seconds", "message", "usage"),
)
"""Of an attempt: all of a thousand is half a megabyte."""

ROWS = 100
"""Sheets in one answer at most."""

LATEST = 1e11
"""Seconds since the epoch; no job ends later."""

NO_STORE = {"cache-control": "no-store"}

Answer = Callable[[Request], Awaitable[Response]]


class App:
    """``gated`` is what a server serves."""

    def __init__(self, conductor: Conductor, access: Access) -> None:
        self._conductor = conductor
        self._access = access
        self._live = Live(conductor)
        self._files = files.load()
        self._answers = SharedAnswers()
        self._timelines = Timelines(conductor)
        self.routes = [
            *(Route(path, self._page) for path in PAGES),
            Route("/static/{name}", self._static),
            Route("/api/session", _json(self._session)),
            Route("/api/live", _whole(self._stream)),
            Route("/api/jobs/{job}/plan", _json(self._plan)),
            Route("/api/jobs/{job}/names", _json(self._names)),
            Route("/api/jobs/{job}/rows", self._shared(0.5, self._rows)),
            Route("/api/jobs/{job}/history", self._shared(HISTORY_SECONDS, self._history)),
            Route("/api/jobs/{job}/timeline", self._shared(TIMELINE_SECONDS, self._timeline)),
            Route("/api/jobs/{job}/why", self._shared(WHY_SECONDS, self._why)),
            Route("/api/jobs/{job}/sheets/{sheet:int}/output", _whole(self._output)),
            Route("/api/jobs/{job}/sheets/{sheet:int}/download", _whole(self._download)),
            Route("/api/jobs/{job}/sheets/{sheet:int}/search", _json(self._search)),
            Route("/api/log", _json(self._log)),
            Route("/api/config", _json(self._config)),
            Route("/api/jobs/{job}/{action}", _json(self._act), methods=["POST"]),
        ]
        app = Starlette(routes=self.routes, lifespan=self._lifespan)
        self.gated = Gate(app, access)

    @contextlib.asynccontextmanager
    async def _lifespan(self, _app: Starlette) -> AsyncIterator[None]:
        self._live.begin()
        try:
            yield
        finally:
            await self._live.end()
            self._conductor.close()

    def close_streams(self) -> None:
        """Lets go of every page: a server that ends waits for them."""
        self._live.close()

    # -- pages ----------------------------------------------------------------------------------

    async def _page(self, request: Request) -> Response:
        return self._file(request, "index.html")

    async def _static(self, request: Request) -> Response:
        return self._file(request, request.path_params["name"])

    def _file(self, request: Request, name: str) -> Response:
        file = self._files.get(name)
        if file is None:
            return _refused(CliError("not_found", "there is no such file"))
        headers = {"etag": file.tag, "cache-control": "no-cache"}
        if request.headers.get("if-none-match") == file.tag:
            return Response(status_code=304, headers=headers)
        return Response(file.data, media_type=file.kind, headers=headers)

    async def _stream(self, request: Request) -> Response:
        last = request.headers.get("last-event-id", "")
        asked = dict(request.query_params)
        page = self._live.open(asked, int(last) if last.isdecimal() else None)
        return Stream(self._live, page)

    def _shared(self, seconds: float, make: Callable[[Request], Awaitable[Any]]) -> Answer:
        """As :func:`_json`, made once for all pages that ask within some seconds."""

        async def answer(request: Request) -> Response:
            async def made() -> bytes:
                return bytes(JSONResponse(await make(request)).body)

            key = f"{request.url.path}?{request.url.query}"
            data = await self._answers.get(key, seconds, made)
            return Response(data, media_type="application/json", headers=NO_STORE)

        return _whole(answer)

    # -- what pages ask for ---------------------------------------------------------------------

    async def _session(self, _request: Request) -> Any:
        return {"write": self._access.write}

    async def _plan(self, request: Request) -> Any:
        return drawn(await self._conductor.ask("job.plan", job_id=request.path_params["job"]))

    async def _names(self, request: Request) -> Any:
        first = _number(request, "first", 1)
        sheets = [first, max(first, _number(request, "last", first))]
        job = request.path_params["job"]
        plan = await self._conductor.ask("job.plan", job_id=job, sheets=sheets)
        return {"first": first, "names": plan["names"]}

    async def _rows(self, request: Request) -> Any:
        first = _number(request, "first", 1)
        last = min(first + ROWS - 1, _number(request, "last", first))
        job = request.path_params["job"]
        status = await self._conductor.ask("job.status", job_id=job, sheets=[first, last])
        return {"sheets": status["sheets"]}

    async def _history(self, request: Request) -> Any:
        sheet = _number(request, "sheet", 0) or None
        job = request.path_params["job"]
        told = await self._conductor.ask("job.history", job_id=job, sheet=sheet, limit=HISTORY)
        return {"attempts": [{name: one[name] for name in SHOWN_OF} for one in told["records"]]}

    async def _timeline(self, request: Request) -> Any:
        first, last = _time(request, "first"), _time(request, "last")
        return await self._timelines.told(request.path_params["job"], first, last)

    async def _why(self, request: Request) -> Any:
        job, sheet = request.path_params["job"], _number(request, "sheet", 0) or None
        explained = await self._conductor.ask("job.explain", job_id=job, sheet=sheet)
        told = {"explained": explained, "cause": None, "next": None}
        if sheet is None and explained["status"] in ("failed", "cancelled"):
            found = await self._conductor.ask("job.diagnose", job_id=job)
            told |= {"cause": found["cause"], "next": found["next"]}
        return told

    async def _log(self, request: Request) -> Any:
        lines = min(log.MOST, _number(request, "lines", 200))
        return {"lines": log.last(self._conductor.session.home.log, lines)}

    async def _config(self, _request: Request) -> Any:
        return await self._conductor.ask("daemon.config")

    # -- output ---------------------------------------------------------------------------------

    def _of(self, request: Request) -> Output:
        stream, place = request.query_params.get("stream", "out"), request.path_params
        attempt = _number(request, "attempt", 0) or None
        return Output(self._conductor, place["job"], place["sheet"], stream, attempt)

    async def _output(self, request: Request) -> Response:
        limit = min(SHOWN, max(1, _number(request, "limit", SHOWN)))
        piece = await self._of(request).piece(_number(request, "offset", 0), limit)
        names = ("attempt", "offset", "next_offset", "size", "ended")
        told = {f"x-{name.replace('_', '-')}": str(piece[name]).lower() for name in names}
        kind = "application/octet-stream"
        return Response(piece["data"], media_type=kind, headers={**NO_STORE, **told})

    async def _download(self, request: Request) -> Response:
        output, place = self._of(request), request.path_params
        first = await output.piece(0, 1)  # refused before anything is sent
        name = f"{place['job']}.{place['sheet']}.{first['attempt']}.txt"
        safe = "".join(c if c.isascii() and (c.isalnum() or c in "._-") else "_" for c in name)
        headers = {**NO_STORE, "content-disposition": f'attachment; filename="{safe}"'}
        kind = "application/octet-stream"
        return StreamingResponse(output.all(), media_type=kind, headers=headers)

    async def _search(self, request: Request) -> Any:
        text = request.query_params.get("q", "").encode()
        return await self._of(request).find(text, max(0, _number(request, "offset", 0)))

    async def _act(self, request: Request) -> Any:
        place = request.path_params
        try:
            wanted = await request.json()
        except ValueError:
            wanted = None
        return await actions.act(self._conductor, place["action"], place["job"], wanted)


PAGES = ("/", "/jobs/{job}", "/jobs/{job}/sheets/{sheet:int}", "/conductor")


class Stream(Response):
    """A page's events, until it or the server is gone."""

    def __init__(self, live: Live, page: Page) -> None:
        super().__init__(media_type="text/event-stream", headers=NO_STORE)
        del self.headers["content-length"]
        self._live = live
        self._page_ = page

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        listening = asyncio.create_task(self._listen(receive))
        try:
            await self._live.serve(self._page_, lambda piece: _write(send, piece))
            await send({"type": "http.response.body", "body": b""})
        finally:
            listening.cancel()

    async def _listen(self, receive: Any) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        self._page_.gone()


async def _write(send: Any, piece: bytes) -> None:
    await send({"type": "http.response.body", "body": piece, "more_body": True})


def _number(request: Request, name: str, default: int) -> int:
    """A parameter that is a whole number."""
    given = request.query_params.get(name)
    if given is None:
        return default
    digits = given.removeprefix("-")
    if not (digits.isascii() and digits.isdecimal() and len(digits) < 19):
        raise CliError("invalid_params", f"{name}: {given!r:.40} is no whole number")
    return int(given)


def _time(request: Request, name: str) -> float | None:
    """A parameter that is seconds since the epoch."""
    given = request.query_params.get(name)
    if given is None:
        return None
    try:
        found = float(given)
    except ValueError:
        found = math.nan
    if not 0 <= found < LATEST:
        raise CliError("invalid_params", f"{name}: {given!r:.40} is no time")
    return found


def _whole(answer: Answer) -> Answer:
    """What cannot be had is answered with its error."""

    async def answered(request: Request) -> Response:
        try:
            return await answer(request)
        except CliError as error:
            return _refused(error)

    return answered


def _json(make: Callable[[Request], Awaitable[Any]]) -> Answer:
    async def answer(request: Request) -> Response:
        return JSONResponse(await make(request), headers=NO_STORE)

    return _whole(answer)


def _refused(error: CliError) -> Response:
    status = HTTP.get(error.code, 500)
    return JSONResponse({"error": error_map(error)}, status_code=status, headers=NO_STORE)

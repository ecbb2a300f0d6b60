"""The stream of a page without a browser: what it tells over deaths, and what it never tells."""

from __future__ import annotations

import http.client
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from browsing import Pages, pages
from e2e_marianne import Marianne, conductor, until

SECRET = "S3cr3t-of-the-environment"


def cookie(served: Pages) -> str:
    port = served.base.rpartition(":")[2]
    return f"marianne_{port}={served.address.partition('token=')[2]}"


def got(served: Pages, path: str) -> bytes:
    with closing(http.client.HTTPConnection(served.base.removeprefix("http://"))) as connection:
        connection.request("GET", path, headers={"Cookie": cookie(served)})
        return connection.getresponse().read()


class Stream(threading.Thread):
    """Reads a page's stream as a browser does."""

    def __init__(self, served: Pages, path: str, last: int | None = None) -> None:
        super().__init__(daemon=True)
        self._connection = http.client.HTTPConnection(served.base.removeprefix("http://"))
        headers = {"Cookie": cookie(served)}
        if last is not None:
            headers["Last-Event-ID"] = str(last)
        self._connection.request("GET", path, headers=headers)
        self._socket = self._connection.sock
        self._answer = self._connection.getresponse()
        self.told: list[tuple[str, int | None, Any]] = []
        self.start()

    def run(self) -> None:
        name, number = "", None
        try:
            for line in self._answer:
                field, _, value = line.decode().rstrip("\n").partition(": ")
                if field == "event":
                    name = value
                elif field == "id":
                    number = int(value)
                elif field == "data":
                    self.told.append((name, number, json.loads(value)))
                    name, number = "", None
        except (OSError, ValueError, http.client.HTTPException, AttributeError):
            return  # it was left

    def leave(self) -> None:
        """The page is closed."""
        self._socket.shutdown(socket.SHUT_RDWR)
        self.join(60)
        self._connection.close()

    def events(self) -> list[int]:
        """The numbers of the events so far; each is its message's id."""
        found = [(number, data) for name, number, data in list(self.told) if name == "log"]
        assert all(number == data["seq"] for number, data in found)
        return [data["seq"] for _, data in found]

    def last(self, name: str) -> Any:
        """What it told last of this name; None: nothing."""
        return next((data for one, _, data in reversed(self.told) if one == name), None)


@contextmanager
def stream(served: Pages, path: str, last: int | None = None) -> Iterator[Stream]:
    one = Stream(served, path, last)
    try:
        yield one
    finally:
        one.leave()


def test_who_comes_back_to_another_server_gets_what_was_missed(marianne: Marianne) -> None:
    with pages(marianne) as served:
        job = marianne.play("before", "sheets: [{name: a, fan_out: 30, run: 'true'}]\n")
        with stream(served, f"/api/live?view=job&job={job}") as page:
            until(lambda: page.last("begin"))
            start = page.last("begin")["seq"]
    missed = marianne.play("missed", "sheets: [{name: a, fan_out: 30, run: 'true'}]\n")
    with pages(marianne) as served, stream(served, "/api/live?view=overview", start) as page:
        after = marianne.play("after", "sheets: [{name: a, run: 'true'}]\n")
        told = marianne.request("events.since", {"seq": start, "limit": 1000})["events"]
        until(lambda: len(page.events()) >= len(told))
        assert page.events()[: len(told)] == [event["seq"] for event in told]
        assert {missed, after} <= {event["job_id"] for event in told}


def test_a_map_is_told_whole_and_then_by_what_has_changed(marianne: Marianne) -> None:
    score = "sheets:\n  - {name: a, fan_out: 5, run: 'until test -e go; do sleep 0.05; done'}\n"
    job = marianne.submit("mapped", score)
    with pages(marianne) as served, stream(served, f"/api/live?view=job&job={job}") as page:
        until(lambda: (page.last("job") or {}).get("progress", {}).get("running") == 5)
        (marianne.place / "mapped" / "go").touch()
        until(lambda: (page.last("job") or {}).get("status") == "completed")
        maps = [data for name, _, data in page.told if name == "map"]
        letters = list(maps[0]["all"])
        for step in maps[1:]:
            for first, piece in step["runs"]:
                letters[first : first + len(piece)] = piece
        assert letters == ["c"] * 5


def test_no_page_tells_anything_of_an_environment(marianne: Marianne) -> None:
    marianne.env["A_TOKEN"] = SECRET
    job = marianne.play("secret", "sheets:\n  - {name: a, run: 'test -n \"$A_TOKEN\"'}\n")
    del marianne.env["A_TOKEN"]
    with pages(marianne) as served:
        paths = [
            *("plan", "names", "rows", "history", "timeline", "why", "why?sheet=1"),
            *("sheets/1/output", "sheets/1/output?stream=prompt", "sheets/1/download"),
        ]
        told = b"".join(got(served, f"/api/jobs/{job}/{path}") for path in paths)
        told += got(served, "/api/config") + got(served, "/api/log?lines=1000")
        views = ("overview&all=1", f"job&job={job}", f"sheet&job={job}&sheet=1", "conductor")
        for view in views:
            with stream(served, f"/api/live?view={view}") as page:
                until(lambda page=page: page.last("problem") is None and len(page.told) > 2)
                told += json.dumps([data for _, _, data in page.told]).encode()
    assert b"secret" in told
    assert SECRET.encode() not in told


def test_a_view_that_is_none_is_refused_and_a_job_that_is_none_is_said(
    marianne: Marianne,
) -> None:
    with pages(marianne) as served:
        assert b"no such view" in got(served, "/api/live?view=nothing")
        with stream(served, "/api/live?view=job&job=nobody") as page:
            until(lambda: page.last("problem"))
            assert page.last("problem")["code"] == "not_found"


def test_a_state_that_was_put_back_is_another_whose_events_are_counted_anew(
    tmp_path: Path,
) -> None:
    one = "sheets: [{name: a, fan_out: 20, run: 'true'}]\n"
    with conductor(tmp_path) as program, pages(program) as served:
        program.play("one", one)
        with stream(served, "/api/live?view=overview") as page:
            until(lambda: page.last("begin"))
            program("stop")
            for file in program.home.glob("state.db*"):
                file.unlink()
            program("start")
            until(lambda: page.last("begin")["seq"] < 20)
            job = program.play("other", one)
            until(lambda: job in [one["job_id"] for name, _, one in page.told if name == "log"])

"""A person's server is told each fact, over kills, hours of silence and its own absence."""

from __future__ import annotations

import json
import os
import signal
import threading
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from e2e_marianne import Marianne, until

SHEETS = "sheets:\n" + "".join(
    f"  - {{name: s{n}, run: 'until test -e go{n}; do sleep 0.02; done'}}\n" for n in range(4)
)


class Hook(ThreadingHTTPServer):
    """Keeps what it is told. While ``held`` is clear it has taken a notice and does not say so."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Taker)
        self.told: list[dict[str, Any]] = []
        self.held = threading.Event()
        self.held.set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/hook"

    def by_id(self) -> Counter[str]:
        return Counter(body["id"] for body in list(self.told))


class Taker(BaseHTTPRequestHandler):
    server: Hook

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.told.append(json.loads(body))
        self.server.held.wait(60)
        try:
            self.send_response(204)
            self.end_headers()
        except OSError:
            pass  # whoever told us was killed

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base's name
        pass


@pytest.fixture
def marianne(mortal: Marianne) -> Marianne:
    return mortal


@pytest.fixture
def hook() -> Iterator[Hook]:
    server = Hook()
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield server
    server.held.set()
    server.shutdown()
    thread.join()
    server.server_close()


def _notify(hook: Hook, events: str, **config: Any) -> str:
    told = json.dumps({"url": hook.url, **config})
    return f"notifications: [{{type: webhook, on_events: [{events}], config: {told}}}]\n"


def _kill(marianne: Marianne) -> None:
    first = marianne.pids()["conductor"]
    os.kill(first, signal.SIGKILL)
    until(lambda: marianne.pids()["conductor"] != first and marianne.serves())


def _is_on_disk(marianne: Marianne) -> bool:
    """Whether nothing is to be told any more, by whichever conductor."""
    return "marianne_notices_waiting 0\n" in marianne("metrics").out


def test_each_fact_is_told_exactly_once_over_three_kills(marianne: Marianne, hook: Hook) -> None:
    job = marianne.submit("work", _notify(hook, "sheet_complete, job_complete") + SHEETS)
    for n in range(4):
        (marianne.place / "work" / f"go{n}").touch()
        until(lambda n=n: len(hook.told) > n)
        until(lambda: _is_on_disk(marianne))
        if n < 3:
            _kill(marianne)
    marianne.wait(job)
    until(lambda: len(hook.told) == 5)
    until(lambda: _is_on_disk(marianne))
    assert sorted((b["event"], b["sheet_num"] or 0) for b in hook.told) == [
        ("job_complete", 0),
        *(("sheet_complete", n) for n in range(1, 5)),
    ]
    assert set(hook.by_id().values()) == {1}


def test_what_was_taken_and_not_acknowledged_when_all_died_comes_again_under_its_id(
    marianne: Marianne, hook: Hook
) -> None:
    job = marianne.submit("work", _notify(hook, "sheet_complete") + SHEETS)
    hook.held.clear()
    for n in range(4):
        (marianne.place / "work" / f"go{n}").touch()
    marianne.wait(job)
    until(lambda: len(hook.told) == 2)  # so many go one way at once
    for _ in range(3):
        before = len(hook.told)
        _kill(marianne)
        until(lambda before=before: len(hook.told) == before + 2)
    hook.held.set()
    until(lambda: len(hook.by_id()) == 4)
    until(lambda: _is_on_disk(marianne))
    assert len({body["sheet_num"] for body in hook.told}) == 4
    seen = len(hook.told)
    _kill(marianne)
    until(lambda: _is_on_disk(marianne))
    assert len(hook.told) == seen, "nothing is told that was taken"


def test_a_server_that_is_down_is_told_once_it_is_back(marianne: Marianne, tmp_path: Path) -> None:
    away = Hook()
    away.server_close()
    job = marianne.submit(
        "work", _notify(away, "job_complete") + "sheets: [{name: a, run: 'true'}]\n"
    )
    marianne.wait(job)
    log = marianne.home / "logs" / "conductor.log"

    def retried() -> bool:
        lines = log.read_text().splitlines() if log.exists() else []
        return any("notice_retried" in line and f'"{job}"' in line for line in lines)

    until(retried)
    back = Hook.__new__(Hook)
    ThreadingHTTPServer.__init__(back, away.server_address, Taker)  # type: ignore[arg-type]
    back.told, back.held = [], threading.Event()
    back.held.set()
    thread = threading.Thread(target=back.serve_forever, args=(0.02,))
    thread.start()
    try:
        until(lambda: back.told)
        assert [body["event"] for body in back.told] == ["job_complete"]
    finally:
        back.shutdown()
        thread.join()
        back.server_close()


def test_five_retries_are_one_notice_and_a_failure_is_told_at_once(
    marianne: Marianne, hook: Hook
) -> None:
    retry = "retry: {max_retries: 5, base_delay_seconds: 0.01}"
    sheet = f"sheets: [{{name: a, run: 'exit 3', {retry}}}]\n"
    marianne.play("bad", _notify(hook, "sheet_retry, needs_me", digest="2s") + sheet, code=1)
    until(lambda: len(hook.told) == 2)
    urgent, digest = hook.told
    assert (urgent["event"], urgent["status"]) == ("job_failed", "failed")
    assert (digest["event"], digest["count"]) == ("digest", 5)
    assert {one["event"] for one in digest["notices"]} == {"sheet_retry"}


def test_who_is_told_of_all_jobs_stands_in_the_configuration(own: Marianne, hook: Hook) -> None:
    own.home.mkdir(mode=0o700)
    own.env["HOOK"] = hook.url
    template = '{"text": "{{ name }} {{ status }}", "id": "{{ id }}"}'
    config = {"url_env": "HOOK", "template": template}
    receiver = {"type": "webhook", "on_events": ["job_complete"], "config": config}
    (own.home / "conductor.yaml").write_text(json.dumps({"notifications": [receiver]}))
    tried = own("notify", "test")
    assert tried.out == "1 webhook: told\n"
    own.play("one", "sheets: [{name: a, run: 'true'}]\n")
    until(lambda: len(hook.told) == 2)
    assert [body["text"] for body in hook.told] == [
        "marianne notify test completed",
        "one completed",
    ]


def test_a_receiver_that_cannot_be_reached_is_named_by_the_test_of_it(own: Marianne) -> None:
    score = own.score("s", "sheets: [{name: a, run: 'true'}]\n" + _notify_command("exit 3"))
    done = own("notify", "test", score, code=1)
    assert done.out == "1 command: not told: exit code 3\n"
    assert own("notify", "test", score, "--json", code=1).json[0]["ok"] is False
    assert "names nobody" in own("notify", "test", code=2).err
    wrong = own.score("w", "sheets: [{name: a, run: 'true'}]\n" + _notify_command("x", quiet="no"))
    assert "hours of the day" in own("notify", "test", wrong, code=2).err


def _notify_command(command: str, **config: Any) -> str:
    told = json.dumps({"command": command, **config})
    return f"notifications: [{{type: command, config: {told}}}]\n"

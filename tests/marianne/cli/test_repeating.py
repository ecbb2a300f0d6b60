"""The jobs of a watch: one at a time, whatever becomes of the conductor meanwhile."""

from __future__ import annotations

import operator
import os
import queue
import signal
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from marianne.cli import jobs
from marianne.cli import repeating as module
from marianne.cli.changes import Watched
from marianne.cli.errors import CliError
from marianne.cli.repeating import Repeating
from marianne.cli.session import Session


class Asked:
    """A conductor that takes a job in, and then has this to say when it is asked for it."""

    def __init__(self, place: Path, *troubles: CliError) -> None:
        self.home = SimpleNamespace(path=place)
        self.troubles = list(troubles)
        self.submitted = 0

    def request(self, method: str, *_params: Any, **_more: Any) -> dict[str, Any]:
        if method == "job.submit":
            self.submitted += 1
            return {"job_id": "a", "message": "1 sheet", "warnings": []}
        if self.troubles:
            raise self.troubles.pop(0)
        return {"workspace": "/w"}


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> Watched:
    monkeypatch.setattr(module, "PATIENCE", 0.0)
    monkeypatch.setattr(jobs, "wait_for_end", lambda *_: threading.Event().wait())
    counts = SimpleNamespace(sees=lambda _: True, counts=lambda *_: True)
    return cast("Watched", counts)


def watch(asked: Asked) -> Repeating:
    return Repeating(cast("Session", asked), {}, "queue", may_start=False, as_json=True)


def test_a_job_that_was_taken_in_is_the_watchs_though_the_conductor_dies_right_after(
    tmp_path: Path, watched: Watched, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = Asked(tmp_path, CliError("no_conductor", "none runs"), CliError("deadline", "silent"))
    watch_of_it = watch(asked)
    watch_of_it._run(watched)
    assert (watch_of_it.job_id, watch_of_it.workspace) == ("a", "/w")
    assert "refused" not in capsys.readouterr().out
    watch_of_it._changed(watched, ["file"])
    assert (watch_of_it.again, asked.submitted) == (True, 1), "the next job follows this one"


def test_a_job_that_is_gone_before_it_was_seen_is_told_and_the_watch_goes_on(
    tmp_path: Path, watched: Watched, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = Asked(tmp_path, CliError("not_found", "no job a"))
    watch_of_it = watch(asked)
    watch_of_it._run(watched)
    assert watch_of_it.job_id is None
    assert [line[:20] for line in capsys.readouterr().out.splitlines()] == [
        '{"event": "submitted',
        '{"event": "refused",',
    ]


def test_an_end_that_could_not_be_waited_for_is_heard_of_whatever_kept_it(
    tmp_path: Path, watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the watch would wait for a job that is over, and run nothing more."""

    def cannot(*_: object) -> None:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(jobs, "wait_for_end", cannot)
    watch_of_it = watch(Asked(tmp_path))
    watch_of_it._run(watched)
    watch_of_it.news.get(timeout=5)()
    assert watch_of_it.job_id is None


def test_a_ctrl_c_that_comes_right_before_the_wait_ends_the_watch(
    tmp_path: Path, watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Raced:
        """No handler of Python's runs between the two: both are calls from C."""

        def __init__(self) -> None:
            self.put = (real := queue.SimpleQueue[Any]()).put
            self.real = real

        def get(self, *params: Any, **named: Any) -> Any:
            interrupt = partial(signal.pidfd_send_signal, myself, signal.SIGINT)
            steps = [interrupt, partial(self.real.get, *params, **named)]
            called: Iterator[Any] = map(operator.call, steps)  # type: ignore[arg-type]
            return list(called)[1]

    myself = os.pidfd_open(os.getpid())
    monkeypatch.setattr(module, "look", lambda *_: None)
    monkeypatch.setattr(module, "LOOK_SECONDS", 0.01)
    watch_of_it = watch(Asked(tmp_path))
    watch_of_it.news = cast("Any", Raced())
    late = threading.Timer(5, watch_of_it.news.put, [lambda: pytest.fail("only now")])
    late.start()
    try:
        with pytest.raises(CliError, match="watched no longer"):
            watch_of_it.play(watched, 0.1, at_once=False)
        assert late.is_alive()
    finally:
        late.cancel()
        os.close(myself)

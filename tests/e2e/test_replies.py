"""Every method answers on the wire what its type in marianne/replies says, no key less or more."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from e2e_marianne import Marianne, until
from reply_shapes import Shapes, reachable, reply_type
from test_rate_limits import limited

from ipc.errors import RemoteError
from marianne.daemon.api import handlers
from marianne.replies.changes import Error, Several
from marianne.replies.job import Check, Progress

MIXED = """name: mixed
params: {n: {type: int, default: 1, description: a number}}
sheets:
  - {name: fine, run: echo fine}
  - {name: loud, run: "echo out; exit 3", retry: {max_retries: 0}}
  - {name: below, needs: [loud], run: 'true'}
  - {name: made, run: 'true', validate: [{file_exists: made.txt}]}
"""
HELD = """name: held
sheets:
  - {name: a, run: 'touch here; until test -e go; do sleep 0.02; done'}
  - {name: b, needs: [a], run: 'true'}
"""
LISTED = """name: listed
sheets: [{name: a, each: {glob: "*.csv"}, run: 'echo {{ item | q }}'}]
"""
CHAIN = """name: chain
concert: {enabled: true}
on_success: [{type: run_job, job_path: next.yaml, pause_before_chain: true}]
sheets: [{name: a, run: 'true'}]
"""
NOT_SHOWN = {
    "Meta.error_traceback": "of a job whose own part in the conductor kept failing",
}


OF_A_CLUSTER = {"daemon.executors", "daemon.drain_node"}
"""Asked where there is one: test_dask."""


class Asked:
    """Asks, and keeps what of the answers is not as the types say."""

    def __init__(self, marianne: Marianne) -> None:
        self.marianne = marianne
        self.shapes = Shapes()
        self.methods: set[str] = set()
        self.problems: set[str] = set()

    def __call__(self, method: str, **params: Any) -> Any:
        answer = self.marianne.request(method, params)
        self.methods.add(method)
        self.problems |= set(self.shapes.problems(answer, reply_type(method), method))
        return answer

    def submit(self, score: str, **more: Any) -> str:
        """A job of its own workspace."""
        place = self.marianne.place / f"work-{len(list(self.marianne.place.iterdir()))}"
        place.mkdir()
        given = {"score": score, "client_cwd": str(self.marianne.place), "workspace": str(place)}
        return str(self("job.submit", **given, **more)["job_id"])

    def place(self, job: str) -> Path:
        return Path(self("job.status", job_id=job)["workspace"])


def ask_of_a_past(ask: Asked) -> None:
    """Two runs of one score that fails, and all that can be asked of them."""
    assert ask.submit(MIXED, dry_run=True) == ask.submit(LISTED, dry_run=True) == ""
    ask("job.wait", job_id=ask.submit(MIXED))
    job = ask.submit(MIXED, chain_depth=1)
    ask("job.wait", job_id=job)
    for method in ("job.status", "job.errors", "job.explain", "job.diagnose", "job.map"):
        ask(method, job_id=job)
    until(lambda: ask("job.history", job_id=job)["learned"])
    until(lambda: ask("job.diagnose", job_id=job)["learned"]["estimate"])
    assert ask("job.timeline", job_id=job)["outcomes"] == b"cff"
    assert ask("job.timeline", job_id=job, limit=1)["cursor"] == [1, 1]
    ask("job.output", job_id=job, sheet=1)
    assert ask("job.plan", job_id=job, sheets=[1, 2])["names"] == ["fine", "loud"]
    ask("job.list", all=True)
    (ask.place(job) / "made.txt").touch()
    assert ask("job.recover", job_id=job, sheet=4)["recovered"] == [4]
    assert ask("job.retry", job_id=job, sheets=[3])["also"] == [2]
    ask("job.wait", job_id=job)
    ask("events.since", job_id=job)


def ask_of_a_life(ask: Asked) -> None:
    """A job that runs: paused, resumed, crashed, given another score, cancelled."""
    score = ask.marianne.place / "held.yaml"
    score.write_text(HELD)
    answer = ask("job.submit", config_path=str(score), workspace=str(score.with_suffix("")))
    job = answer["job_id"]
    until((ask.place(job) / "here").exists)
    until(lambda: ask("job.status", job_id=job)["at_work_since"])
    assert ask("job.timeline", job_id=job)["running"] == [1]
    ask("job.explain", job_id=job)
    ask("daemon.fault", name=f"job:{job}/job", now=True)
    until(lambda: ask("job.diagnose", job_id=job)["supervision"])
    until(lambda: ask("job.pause", ids=[job])["jobs"][0]["ok"])
    ask("job.resume", ids=[job])
    ask("job.modify", job_id=job, score=HELD.replace("'true'", "'false'"), dry_run=True)
    assert ask("job.cancel", ids=[job])["jobs"][0]["status"] == "cancelled"
    assert not ask("job.cancel", ids=[job])["jobs"][0]["ok"]
    score.write_text(HELD.replace("touch here", "touch there"))
    (entry,) = ask("job.resume", ids=[job])["jobs"]
    assert entry["changes"]
    ask("job.cancel", all=True)


def ask_of_what_waits(ask: Asked) -> None:
    """A chain that waits for a person, an instrument that refuses work."""
    chain = ask.submit(CHAIN)
    until(lambda: ask("job.status", job_id=chain)["status"] == "paused")
    assert "held_chain_hook" in ask("job.diagnose", job_id=chain)["meta"]
    job = limited(ask.marianne, 600)
    ask("job.explain", job_id=job)
    ask("daemon.rate_limits")
    ask("daemon.clear_rate_limits")
    ask("job.wait", job_id=job)


def ask_of_groups(ask: Asked) -> None:
    """One that is made, shown and removed."""
    ask("group.add", name="two", parallel=2)
    assert ask("group.list")["groups"][0]["parallel"] == 2
    given = {"score": HELD, "workspace": str(ask.marianne.place / "two")}
    job = ask("job.submit", **given, group="two", at=time.time() + 3600)["job_id"]
    assert ask("job.status", job_id=job)["begins_at"]
    assert ask("job.map", job_id=job)["group"] == "two"
    ask("job.list")
    ask("job.cancel", ids=[job])
    ask("group.remove", name="two")


def ask_of_schedules(ask: Asked) -> None:
    """One of each second, whose job does not end; then its score is gone."""
    place = ask.marianne.place
    score = place / "often.yaml"
    score.write_text(HELD)
    rules = {"cron": "* * * * * *", "overlap": "queue", "catch_up": "all"}
    given = {"config_path": "often.yaml", "client_cwd": str(place), "workspace": "often"}
    assert ask("schedule.add", **given, **rules, variables={"a": "b"})["next_slot"]

    def shown() -> Any:
        return ask("schedule.list")["schedules"][0]

    until(lambda: shown()["waits_for"] and shown()["waiting"])
    score.unlink()
    ask("job.cancel", ids=[shown()["last_job"]["job_id"]])
    until(lambda: shown()["last_error"])
    score.write_text(HELD)
    ask("schedule.pause", name="often")
    until(lambda: not ask("job.cancel", all=True)["jobs"])
    ask("schedule.resume", name="often")
    ask("schedule.pause", name="often")
    ask("job.cancel", all=True)
    assert ask("schedule.run_now", name="often")["job_id"]
    ask("schedule.remove", name="often")
    ask("job.cancel", all=True)


def test_every_method_answers_what_its_type_says(own: Marianne) -> None:
    own.home.mkdir(mode=0o700)
    (own.home / "conductor.yaml").write_text("traces: {endpoint: 'http://127.0.0.1:9'}\n")
    own("start")
    ask = Asked(own)
    for method in ("hello", "daemon.status", "daemon.health", "daemon.ready", "daemon.reload"):
        ask(method)
    for method in ("daemon.config", "daemon.tree", "daemon.metrics", "daemon.keys"):
        ask(method)
    ask_of_a_past(ask)
    ask_of_a_life(ask)
    ask_of_what_waits(ask)
    ask_of_groups(ask)
    ask_of_schedules(ask)
    ask("job.clear")
    ask("daemon.shutdown", mode="stop")
    assert ask.problems == set()
    here = set(handlers.METHODS) - OF_A_CLUSTER
    assert ask.methods == here
    known = {key for method in here for key in reachable(reply_type(method))}
    assert known - ask.shapes.seen == set(NOT_SHOWN), "of these keys no answer shows anything"


@pytest.mark.parametrize(
    ("method", "params", "code"),
    [
        ("nonsense", {}, "unknown_method"),
        ("job.status", {}, "invalid_params"),
        ("job.status", {"job_id": "nobody"}, "not_found"),
        ("job.submit", {"score": "name: x\nsheets: none\n"}, "invalid_score"),
    ],
)
def test_every_refusal_is_an_error(
    shared: Marianne, method: str, params: dict[str, Any], code: str
) -> None:
    with pytest.raises(RemoteError) as refused:
        shared.request(method, params)
    error = refused.value
    told = {name: getattr(error, name) for name in ("code", "message", "hint", "data")}
    assert Shapes().problems(told, Error, "error") == []
    assert told["code"] == code


@pytest.mark.parametrize(
    ("value", "kind", "problem"),
    [
        ({"type": "a", "passed": None, "detail": ""}, Check, None),
        ({"type": "a", "passed": 1, "detail": ""}, Check, ".passed: 1 is no"),
        ({"type": "a", "passed": None}, Check, ": has no detail"),
        ({"type": "a", "passed": None, "detail": "", "x": 1}, Check, "has x, which its type does"),
        ([], Check, "[] is no"),
        ({"jobs": []}, Several[Check], None),
        ({"jobs": [{}]}, Several[Check], ".jobs.0: has no"),
        ({"jobs": {}}, Several[Check], ".jobs: {} is no"),
        (dict.fromkeys(Progress.__annotations__, True), Progress, "True is no"),
    ],
)
def test_an_answer_that_is_not_as_its_type_says_is_found(
    value: Any, kind: Any, problem: str | None
) -> None:
    found = Shapes().problems(value, kind, "it")
    assert (found == []) if problem is None else (problem in found[0])

"""People are told of their jobs: no notice is lost, and what reaches nobody is said."""

from __future__ import annotations

import json
from typing import Any

import pytest
from e2e_marianne import Marianne, until

SHEET = "sheets:\n  - {name: a, run: 'exit 3'}\n"


@pytest.fixture
def marianne(shared: Marianne) -> Marianne:
    return shared


def _notify(command: str, *events: str) -> str:
    config = json.dumps({"command": command})
    return (
        f"notifications: [{{type: command, on_events: [{', '.join(events)}], config: {config}}}]\n"
    )


def _told(marianne: Marianne) -> list[dict[str, Any]]:
    path = marianne.place / "told"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def test_a_command_gets_each_event_as_json_on_its_standard_input(marianne: Marianne) -> None:
    told = marianne.place / "told"
    text = SHEET + _notify(f"cat >> {told}", "job_start", "sheet_failed", "job_failed")
    job = marianne.play("bad", text, code=1)
    until(lambda: len(_told(marianne)) == 3)
    by_event = {body["event"]: body for body in _told(marianne)}
    assert set(by_event) == {"job_start", "sheet_failed", "job_failed"}
    assert by_event["sheet_failed"]["sheet_num"] == 1
    assert by_event["sheet_failed"]["data"]["exit_code"] == 3
    assert by_event["job_failed"]["job_id"] == job
    assert by_event["job_failed"]["workspace"] == str(marianne.place / "bad")


def test_three_that_nobody_gets_make_the_conductor_not_ready_until_one_is_got(
    own: Marianne,
) -> None:
    told = own.place / "told"
    text = SHEET + _notify(f"cat >> {told}; test -e {told}.works", "job_failed")
    secret = text.replace("cat >>", "true sk-abcdefghijklmnopqrstuv; cat >>")
    for name in ("one", "two", "three"):
        own("run", own.score(name, secret), "--wait", code=1)
    until(lambda: own("ready", "--json", code=None).json["status"] != "ready")
    assert own("ready", "--json", code=None).json["notifications_degraded"]
    log = (own.home / "logs" / "conductor.log").read_text()
    assert "notice_not_delivered" in log
    assert "sk-abc" not in log
    (own.place / "told.works").touch()
    own("run", own.score("four", text), "--wait", code=1)
    until(lambda: own("ready", "--json", code=None).json["status"] == "ready")

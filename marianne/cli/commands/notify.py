"""``marianne notify test``."""

from __future__ import annotations

import os
import subprocess
import time
from typing import Any

import click

from marianne.cli.completing import complete_file
from marianne.cli.errors import CliError
from marianne.cli.exit_codes import FAILED, OK
from marianne.cli.options import VerbGroup, json_option
from marianne.cli.render.out import clean, print_json, say
from marianne.cli.session import Session


@click.group("notify", cls=VerbGroup)
def command() -> None:
    """Tell people: see whether they can be reached.

    Who is told, and of what, is said by notifications in a score (of its jobs) and in
    conductor.yaml (of all jobs).
    """


@command.command("test")
@click.argument("score", required=False, shell_complete=complete_file)
@json_option
@click.pass_obj
def test(session: Session, score: str | None, as_json: bool) -> int:
    """Send a notice to each receiver of SCORE, or of conductor.yaml, now.

    It is sent from here, in this environment, without a conductor; quiet hours and digests are
    passed over. Exit code 1 if one could not be reached.
    """
    receivers = _of_home(session) if score is None else _of_score(session, score)
    if not receivers:
        where = "the configuration" if score is None else score
        hint = "add notifications: [{type: desktop}] there; docs/notifications.md has the others"
        raise CliError("usage", f"{where} names nobody who is told", hint)
    results = [_tried(number, one) for number, one in enumerate(receivers, 1)]
    if as_json:
        print_json(results)
    for result in () if as_json else results:
        told = "told" if result["ok"] else f"not told: {clean(result['detail'])}"
        say(f"{result['number']} {result['type']}: {told}")
    return OK if all(result["ok"] for result in results) else FAILED


def _of_home(session: Session) -> list[dict[str, Any]]:
    from marianne.daemon.config import ConfigError, load_config

    try:
        return list(load_config(session.home).config.notifications)
    except ConfigError as error:
        raise CliError("usage", str(error)) from None


def _of_score(session: Session, score: str) -> list[dict[str, Any]]:
    from marianne.cli.bounded import bounded

    def read() -> dict[str, Any]:
        from marianne.instruments.registry import Registry
        from marianne.model.errors import ScoreError
        from marianne.score.load import load_plan

        try:
            plan = load_plan(
                score,
                None,
                base_dir=os.path.dirname(os.path.abspath(score)),
                workspace=None,
                variables={},
                instruments=Registry.load(session.home.instruments),
            )
        except ScoreError as error:
            return {"wrong": error.render()}
        return {"receivers": plan.extras.get("notifications", [])}

    found = bounded(read)
    if "wrong" in found:
        raise CliError("invalid_score", found["wrong"])
    receivers: list[dict[str, Any]] = found["receivers"]
    return receivers


def _tried(number: int, receiver: dict[str, Any]) -> dict[str, Any]:
    from marianne.notify.notice import Notice
    from marianne.notify.way import way
    from marianne.state.models import Event, JobRow, JobStatus

    row = JobRow("test", "marianne notify test", JobStatus.COMPLETED, os.getcwd(), time.time(), 1)
    event = Event(0, 0, time.time(), "test", None, "job.completed", {"test": True})
    found = way([Notice(event, row, number, receiver)])
    result = {"number": number, "type": receiver["type"], "ok": False}
    if found is None:
        missing = "notify-send is not installed" if receiver["type"] == "desktop" else "no effect"
        return {**result, "detail": missing}
    try:
        done = subprocess.run(
            found.argv, input=found.stdin, capture_output=True, timeout=found.timeout, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return {**result, "detail": str(error)}
    said = (done.stdout + done.stderr).decode(errors="replace").strip()
    detail = said or f"exit code {done.returncode}"
    return {**result, "ok": done.returncode == 0, "detail": "" if not done.returncode else detail}

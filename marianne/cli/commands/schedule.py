"""``marianne schedule add|list|remove|pause|resume|run-now``."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from marianne.cli.completing import complete_schedule, score_argument
from marianne.cli.errors import CliError
from marianne.cli.options import (
    VerbGroup,
    fresh_option,
    json_option,
    no_start_option,
    priority_option,
    workspace_option,
)
from marianne.cli.render.out import clean, note, print_json, say
from marianne.cli.render.problems import print_warnings
from marianne.cli.session import Session
from marianne.cli.source import source
from marianne.cli.submitting import environment, submit
from marianne.cli.variables import param_file_option, parse_variables, var_option
from marianne.trace_context import PARENT, STATE

if TYPE_CHECKING:
    from marianne.replies.schedules import ScheduleChanged

name_argument = click.argument("name", shell_complete=complete_schedule)


@click.group("schedule", cls=VerbGroup)
def command() -> None:
    """Run scores by the clock.

    A schedule has a score, a cron expression and a time zone; the conductor makes a job of it at
    each slot. The score's file is read at each slot.
    """


@command.command("add")
@score_argument
@click.option("--cron", required=True, metavar="EXPR", help="When: as '30 2 * * *', or @daily.")
@click.option("--name", metavar="NAME", help="Its name (default: the file's).")
@click.option("--tz", metavar="ZONE", help="As Europe/Paris (default: the zone of this machine).")
@click.option(
    "--overlap",
    type=click.Choice(["skip", "queue", "replace"]),
    default="skip",
    show_default=True,
    help="At a slot before the last job is over: no job, one after it, or one in its place.",
)
@click.option(
    "--catch-up",
    type=click.Choice(["none", "one", "all"]),
    default="none",
    show_default=True,
    help="How many of the slots that came while no conductor ran are made up for.",
)
@var_option
@param_file_option
@workspace_option
@priority_option
@fresh_option
@no_start_option
@json_option
@click.pass_obj
def add(
    session: Session,
    score: str,
    cron: str,
    name: str | None,
    tz: str | None,
    overlap: str,
    catch_up: str,
    variables: tuple[str, ...],
    param_files: tuple[str, ...],
    workspace: str | None,
    priority: int,
    fresh: bool,
    no_start: bool,
    as_json: bool,
) -> None:
    """Have a score run by the clock.

    SCORE is a file, which is checked now and read at each slot. Starts a conductor in the
    background when none runs. The jobs run with this command's environment.
    """
    from marianne.cli.zone import local_zone

    read = source(score)
    if read["config_path"] is None:
        raise CliError(
            "usage", f"{score!r} cannot be read again at each slot", "give the path of a file"
        )
    params = {
        "config_path": read["config_path"],
        "client_cwd": os.getcwd(),
        "workspace": workspace,
        "variables": parse_variables(variables, param_files),
        "priority": priority,
        "fresh": fresh,
        # Each job is a trace of its own: what goes on here now is over when it runs.
        "environment": {k: v for k, v in environment().items() if k not in (PARENT, STATE)},
    }
    found = submit(session, {**params, "dry_run": True}, may_start=not no_start)
    print_warnings(found.get("warnings") or [])
    zone = local_zone() if tz is None else tz
    rules = {"cron": cron, "tz": zone, "name": name, "overlap": overlap, "catch_up": catch_up}
    answer = session.request("schedule.add", {**params, **rules})
    if as_json:
        print_json(answer)
    else:
        _say_next(answer, zone)


@command.command("list")
@json_option
@click.pass_obj
def list_(session: Session, as_json: bool) -> None:
    """List the schedules: the next slot of each, the last one, and its job."""
    found = session.request("schedule.list")["schedules"]
    if as_json:
        print_json(found)
    elif not found:
        note("no schedules (add one with: marianne schedule add SCORE --cron '30 2 * * *')")
    else:
        from marianne.cli.render.schedules import print_schedules

        print_schedules(found)


@command.command("remove")
@name_argument
@json_option
@click.pass_obj
def remove(session: Session, name: str, as_json: bool) -> None:
    """Forget a schedule; its jobs stay, and one that runs goes on."""
    _say(session.request("schedule.remove", {"name": name}), "removed", as_json)


@command.command("pause")
@name_argument
@json_option
@click.pass_obj
def pause(session: Session, name: str, as_json: bool) -> None:
    """Let the slots of a schedule pass until it is resumed."""
    _say(session.request("schedule.pause", {"name": name}), "paused", as_json)


@command.command("resume")
@name_argument
@json_option
@click.pass_obj
def resume(session: Session, name: str, as_json: bool) -> None:
    """Let a schedule go on with its next slot; what passed meanwhile is not made up for."""
    _say(session.request("schedule.resume", {"name": name}), "resumed", as_json)


@command.command("run-now")
@name_argument
@json_option
@click.pass_obj
def run_now(session: Session, name: str, as_json: bool) -> None:
    """Make a job of a schedule now, whatever the clock says."""
    answer = session.request("schedule.run_now", {"name": name}, deadline=60.0)
    print_warnings(answer["warnings"])
    if as_json:
        print_json(answer)
    else:
        say(clean(f"{answer['job_id']}: {answer['message']}"))


def _say(answer: ScheduleChanged, what: str, as_json: bool) -> None:
    if as_json:
        print_json(answer)
    else:
        say(f"{answer['name']}: {what}")


def _say_next(answer: ScheduleChanged, zone: str) -> None:
    from marianne.cli.render.schedules import slot_text

    say(clean(f"{answer['name']}: the next slot is {slot_text(answer['next_slot'], zone)}"))

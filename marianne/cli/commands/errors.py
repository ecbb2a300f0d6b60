"""``marianne errors JOB``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from marianne.cli.completing import job_argument
from marianne.cli.jobs import named
from marianne.cli.options import Verb, exact_option, json_option
from marianne.cli.render.attempts import print_attempts
from marianne.cli.render.out import clean, note, print_json, say
from marianne.cli.session import Session
from marianne.cli.sheets import sheet_number

if TYPE_CHECKING:
    from marianne.replies.reports import Attempt

MOST = 1_000
PERMANENT = ("template", "preflight", "workspace", "not_found", "auth")
"""What another try of the same instrument does not mend."""

KINDS = (
    *(
        "transient",
        "permanent",
        "rate_limit",
        "exit",
        "signal",
        "timeout",
        "idle",
        "validation",
        "list",
    ),
    *("resource_limit", "output_limit", *PERMANENT, "refused", "internal", "worker_lost"),
)


@click.command("errors", cls=Verb)
@job_argument
@click.option("--sheet", "-b", metavar="SHEET", help="Of this sheet, by number or name.")
@click.option(
    "--type",
    "-t",
    "kind",
    type=click.Choice(KINDS),
    metavar="TYPE",
    help="Of this category (timeout, validation, rate_limit, …), or: permanent, transient.",
)
@click.option("--limit", "-n", type=click.IntRange(1, 1_000), default=50, show_default=True)
@exact_option
@json_option
@click.pass_obj
def command(
    session: Session,
    job: str,
    sheet: str | None,
    kind: str | None,
    limit: int,
    exact: bool,
    as_json: bool,
) -> None:
    """List what failed in a job.

    Every attempt that failed, newest first, and the sheets that were skipped for their sake.
    With --sheet or --type of the newest 1,000.
    """
    narrowed = sheet is not None or kind is not None
    newest = not (exact or as_json)
    params = {**named(job, newest), "limit": MOST if narrowed else limit}
    answer = session.request("job.errors", params)
    if narrowed:
        number = sheet_number(session, answer["job_id"], sheet) if sheet is not None else None
        found = [one for one in answer["errors"] if _is_wanted(one, number, kind)]
        skipped = [one for one in answer["skipped"] if number in (None, one["sheet"])]
        answer |= {"errors": found[:limit], "total": len(found), "skipped": skipped}
    if as_json:
        print_json(answer)
        return
    if not answer["errors"]:
        what = "no such attempt" if narrowed else "no attempt of it failed"
        note(f"{answer['job_id']} is {answer['status']}: {what}")
    else:
        print_attempts(answer["errors"])
    for row in answer["skipped"]:
        say(f"sheet {row['sheet']} ({clean(row['name'])}) was skipped: {row['message']}")
    more = answer["total"] - len(answer["errors"])
    if more > 0:
        note(f"({more} earlier ones: --limit)")
    if answer["error"]:
        say(clean(answer["error"]))


def _is_wanted(error: Attempt, sheet: int | None, kind: str | None) -> bool:
    category = error["category"]
    if sheet is not None and error["sheet"] != sheet:
        return False
    if kind == "permanent":
        return category in PERMANENT
    if kind == "transient":
        return category not in (*PERMANENT, "rate_limit")
    return kind in (None, category)

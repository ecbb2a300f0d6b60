"""A diagnosis as a person reads it: the cause first, then what it was read from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from marianne.cli.render.attempts import print_attempts
from marianne.cli.render.facts import print_facts
from marianne.cli.render.out import clean, paint, say
from marianne.cli.render.values import clock

OUTPUT_LINES = 10


def print_diagnosis(report: Mapping[str, Any]) -> None:
    """Cause, next step, sheets in trouble, resources, supervision."""
    reason = f" ({report['reason']})" if report["reason"] else ""
    say(f"{paint(clean(report['job_id']), 'bold')} is {report['status']}{reason}")
    say(f"{paint('cause:', 'bold')} {clean(report['cause'])}")
    if report["next"]:
        say(f"{paint('next:', 'bold', 'cyan')}  {clean(report['next'])}")
    for sheet in report["sheets"]:
        say()
        say(paint(f"sheet {sheet['num']} ({clean(sheet['name'])}) is {sheet['status']}", "bold"))
        print_attempts(sheet["attempts"], indent="  ")
        for stream, text in sheet["last_output"].items():
            lines = text.splitlines()[-OUTPUT_LINES:]
            for line in lines:
                say(f"  {paint(stream, 'dim')} | {clean(line)}")
    if report["more_sheets"]:
        say(f"(and {report['more_sheets']} more sheets)")
    say()
    print_facts({name.replace("_", " "): value for name, value in report["resources"].items()})
    if report["supervision"]:
        say()
        say(paint("the conductor's own parts meanwhile", "bold"))
        for event in report["supervision"]:
            error = f": {clean(event['error'])}" if event["error"] else ""
            say(f"  {clock(event['ts'])}  {event['event']}  {event['name']}{error}")

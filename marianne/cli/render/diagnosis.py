"""A diagnosis as a person reads it: the cause first, then what it was read from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from marianne.cli.render.attempts import print_attempts
from marianne.cli.render.facts import print_facts
from marianne.cli.render.out import clean, paint, say
from marianne.cli.render.values import clock, with_local_times

if TYPE_CHECKING:
    from marianne.replies.reports import Diagnosis, Learned

OUTPUT_LINES = 10


def print_diagnosis(report: Diagnosis) -> None:
    """Cause, next step, sheets in trouble, resources, supervision."""
    reason = f" ({report['reason']})" if report["reason"] else ""
    say(f"{paint(clean(report['job_id']), 'bold')} is {report['status']}{reason}")
    say(f"{paint('cause:', 'bold')} {clean(with_local_times(report['cause']))}")
    if report["next"]:
        say(f"{paint('next:', 'bold', 'cyan')}  {clean(report['next'])}")
    for sheet in report["sheets"]:
        say()
        say(paint(f"sheet {sheet['num']} ({clean(sheet['name'])}) is {sheet['status']}", "bold"))
        print_attempts(sheet["attempts"], indent="  ")
        printed = sheet["last_output"]
        for stream, text in (("out", printed["out"]), ("err", printed["err"])):
            lines = text.splitlines()[-OUTPUT_LINES:]
            for line in lines:
                say(f"  {paint(stream, 'dim')} | {clean(line)}")
    if report["more_sheets"]:
        say(f"(and {report['more_sheets']} more sheets)")
    say()
    print_facts({name.replace("_", " "): value for name, value in report["resources"].items()})
    _print_learned(report["learned"])
    if report["supervision"]:
        say()
        say(paint("the conductor's own parts meanwhile", "bold"))
        for event in report["supervision"]:
            error = f": {clean(event['error'])}" if event["error"] else ""
            say(f"  {clock(event['ts'])}  {event['event']}  {event['name']}{error}")


def _print_learned(learned: Learned) -> None:
    """What jobs of the same score had used, and what is expected of the next one."""
    estimate = learned["estimate"]
    if not estimate:
        return
    say()
    say(paint("learned from jobs of the same score", "bold"))
    best = max(learned["patterns"], key=lambda pattern: pattern["effectiveness"])
    print_facts(
        {
            "outcomes": learned["outcomes"],
            "expected memory": f"{estimate['peak_memory_mb']:g} MB (by the {estimate['by']})",
            "expected CPU": f"{estimate['cpu_seconds']:g} s",
            "confidence": f"{estimate['confidence']:.2f}",
            "best pattern": f"{best['name']}, effectiveness {best['effectiveness']:.2f}",
            "diversity": f"{learned['entropy']:.2f} of 1, "
            f"{learned['exploration_budget']:.0%} of decisions explore",
        }
    )

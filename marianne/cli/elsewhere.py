"""What people who come from the reference write, and what it is called here.

Imported only where the program is about to refuse something. docs/switching.md has the whole table,
and a test holds the two together.
"""

from __future__ import annotations

from collections.abc import Sequence

import click

_LEARNED = "what was learned of a score is in: marianne history JOB"
_NOT_HERE = "there is none here"

VERBS: dict[str, str] = {
    "dashboard": "marianne web shows the jobs in a browser, marianne top in a terminal",
    "tail": "marianne output JOB --follow, or: marianne events JOB --follow",
    "rerun": "marianne retry JOB",
    "kill": "marianne cancel JOB",
    "ps": "marianne list",
    "compose": f"{_NOT_HERE}: marianne init writes a score to begin with",
    "keyring": f"{_NOT_HERE}: instruments find their keys themselves",
    "learning-stats": _LEARNED,
    "learning-insights": _LEARNED,
    "learning-activity": _LEARNED,
    "learning-drift": _LEARNED,
    "learning-epistemic-drift": _LEARNED,
    "learning-export": _LEARNED,
    "learning-record-evolution": _LEARNED,
    "patterns-list": _LEARNED,
    "patterns-show": _LEARNED,
    "patterns-why": _LEARNED,
    "patterns-entropy": _LEARNED,
    "patterns-budget": _LEARNED,
    "entropy-status": "marianne diagnose JOB shows how diverse what was learned is",
}

_HEALS = "leave it out: a failed sheet is retried as the score's 'retry' says"
_PERSON = "leave it out: a job that needs a person is paused, and marianne explain JOB says why"
_ANEW = "a completed job is run anew: marianne run SCORE; some sheets: marianne retry JOB SHEET"
_KNOWN = "leave it out: the conductor knows where each job works"
_PLAIN = "leave it out: what there is to say is said; marianne logs has the rest"
_WORKSPACE = "-w is --wait here; the workspace is --workspace DIR"
_JSON = "-j is --json here; how many sheets run at once is -J N, or --jobs N"
_AGAIN = "start anew: marianne stop, then marianne start with it"

ANYWHERE: dict[str, str] = {
    "--quiet": "redirect it: marianne … > /dev/null",
    "-q": "redirect it: marianne … > /dev/null",
    "--verbose": _PLAIN,
    "-v": _PLAIN,
    "--log-level": "of the conductor: marianne start --log-level, or log_level in conductor.yaml",
    "-L": "of the conductor: marianne start --log-level, or log_level in conductor.yaml",
    "--log-file": "set log_file in conductor.yaml",
    "--log-format": "it is always JSON lines; marianne logs shows them to people",
}

_UNATTENDED = {
    "--self-healing": _HEALS,
    "-H": _HEALS,
    "--yes": _HEALS,
    "-y": _HEALS,
    "--escalation": _PERSON,
    "-e": _PERSON,
}

OPTIONS: dict[str, dict[str, str]] = {
    "run": _UNATTENDED,
    "resume": {
        "--workspace": _KNOWN,
        "-w": _KNOWN,
        "--force": _ANEW,
        "-f": _ANEW,
        **_UNATTENDED,
    },
    "validate": {
        "--verbose": "marianne validate SCORE --expand shows the sheets",
        "-v": "marianne validate SCORE --expand shows the sheets",
    },
    "pause": {"--workspace": _KNOWN},
    "modify": {"--wait": "marianne wait JOB afterwards", "-w": "marianne wait JOB afterwards"},
    "status": {"--workspace": _KNOWN, "-w": _KNOWN},
    "list": {"--workspace": _KNOWN, "-w": _KNOWN},
    "errors": {"--workspace": _KNOWN, "-w": _KNOWN},
    "diagnose": {"--workspace": _KNOWN, "-w": _KNOWN},
    "history": {"--workspace": _KNOWN, "-w": _KNOWN},
    "recover": {"--workspace": _KNOWN, "-w": _KNOWN},
    "logs": {
        "--file": "marianne logs reads the log of --home DIR",
        "-F": "it is --follow, or -f",
        "--workspace": "of a job: marianne events JOB, or what it wrote: marianne output JOB",
        "-w": "of a job: marianne events JOB, or what it wrote: marianne output JOB",
    },
    "start": {"--pid-file": "set pid_file in conductor.yaml, or name another --home DIR"},
    "stop": {
        "--pid-file": "name the conductor by --home DIR",
        "--profile": "name the conductor by --home DIR",
    },
    "restart": {
        "--config": _AGAIN,
        "-c": _AGAIN,
        "--profile": _AGAIN,
        "-p": _AGAIN,
        "--foreground": "start anew: marianne stop, then marianne start --foreground",
        "-f": "start anew: marianne stop, then marianne start --foreground",
        "--pid-file": "name the conductor by --home DIR",
    },
    "conductor-status": {"--pid-file": "name the conductor by --home DIR"},
    "clear": {"--job": "name it: marianne clear JOB"},
}
"""Options by verb that are not known here."""


def of_verb(name: str) -> str | None:
    """What to do instead of a verb that is none."""
    if name.startswith(("learning-", "patterns-")):
        return _LEARNED
    return VERBS.get(name)


def explained(error: click.UsageError, verb: str | None, args: Sequence[str]) -> click.UsageError:
    """The error with what to do instead; ``verb`` is None for what stands before one."""
    if isinstance(error, click.NoSuchOption):
        word = of_option(verb, args)
    else:
        word = of_arguments(verb, args)
    if word is None:
        return error
    return click.UsageError(f"{error.format_message().rstrip('.')}: {word}", error.ctx)


def of_option(verb: str | None, args: Sequence[str]) -> str | None:
    """What to do instead of the first option among the arguments that means something elsewhere."""
    known = OPTIONS.get(verb or "", {})
    for word in args:
        option = word.partition("=")[0]
        if not option.startswith("--"):
            option = option[:2]
        if option in known:
            return known[option]
    return next((ANYWHERE[word] for word in args if word in ANYWHERE), None)


def of_arguments(verb: str | None, args: Sequence[str]) -> str | None:
    """What was meant by an argument too many."""
    if verb == "run" and "-w" in args:
        return _WORKSPACE
    if verb == "run" and "-j" in args:
        return _JSON
    if verb == "logs":
        return "of a job: marianne events JOB, or what it wrote: marianne output JOB"
    return None

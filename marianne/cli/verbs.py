"""The verbs by name: in which module each lives, and its line in the help.

The line stands here too, so that ``marianne --help`` imports no verb; a test compares it with
the verb's own.
"""

from __future__ import annotations

SECTIONS: dict[str, dict[str, str]] = {
    "Jobs": {
        "run": "Run a score: submit it, and wait for it or follow it if asked.",
        "add": "Run a command as a job of one sheet.",
        "status": "Show one job with its sheets, or what the conductor is doing.",
        "list": "List jobs.",
        "wait": "Wait until jobs have ended; the exit code tells how.",
        "explain": "Say why a job, or a sheet of it, does not run now.",
        "output": "Print what a sheet wrote.",
        "events": "Print what happened, and follow what happens.",
        "pause": "Start no more sheets of a job; running ones finish.",
        "resume": "Let a paused, failed or cancelled job go on.",
        "retry": "Run failed sheets, and what depends on them, again.",
        "modify": "Let a job go on by another score; completed sheets stay.",
        "cancel": "End jobs and all their processes.",
        "errors": "List what failed in a job.",
        "diagnose": "Say why a job is not done, and what that was read from.",
        "history": "List the attempts of a job's sheets.",
        "recover": "Mark failed sheets as completed whose work is there after all.",
        "clear": "Forget jobs that have ended.",
        "group": "Let only so many jobs of a group run at once.",
        "schedule": "Run scores by the clock.",
        "watch": "Run a score, and again whenever files change.",
        "top": "Watch jobs, sheets and their output on one screen.",
    },
    "Scores": {
        "init": "Write a small score to begin with.",
        "validate": "Check scores without running them.",
        "instruments": "Show the programs that sheets can use.",
        "schema": "Print the JSON schema of scores, configs or instruments.",
    },
    "Conductor": {
        "start": "Start the conductor in the background.",
        "stop": "Stop the conductor and the processes of its jobs.",
        "restart": "Replace the conductor; running sheets go on.",
        "reload": "Have the conductor read its configuration again.",
        "doctor": "Look whether all is well with this installation and home.",
        "conductor-status": "Show the conductor: process, jobs, memory, pressure.",
        "health": "Ask whether the conductor lives.",
        "ready": "Ask whether the conductor takes work.",
        "executors": "Show where sheets run: the clusters, their nodes, who has taken them.",
        "rate-limits": "Show which instruments refuse work, and for how long.",
        "clear-rate-limits": "End rate limits: what waits for them goes on at once.",
        "notify": "Tell people: see whether they can be reached.",
        "metrics": "Print the conductor's figures, as Prometheus reads them.",
        "tree": "Show the supervision tree, live.",
        "logs": "Print the conductor's log.",
        "keys": "Let clients of other machines reach the conductor, each by a key of its own.",
        "service": "Have systemd keep a conductor.",
        "config": "Show the configuration and where each value comes from.",
        "completion": "Print a completion script for your shell.",
        "mcp": "Serve agents the jobs as tools, by the Model Context Protocol.",
        "web": "Show the jobs in a browser.",
    },
}

VERBS: dict[str, str] = {verb: line for part in SECTIONS.values() for verb, line in part.items()}


ABOVE = {verb: f"marianne.{verb}.command" for verb in ("mcp", "top", "web")}
"""Verbs whose modules stand on this floor instead of on it."""


def module_of(verb: str) -> str:
    """The module that holds the verb as ``command``."""
    if verb in ABOVE:
        return ABOVE[verb]
    name = verb.replace("-", "_")
    return f"marianne.cli.commands.{name}"

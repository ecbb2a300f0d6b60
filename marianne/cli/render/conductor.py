"""The conductor: in a line, and whole."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from marianne.cli.render.jobs import print_jobs
from marianne.cli.render.out import clean, paint, say
from marianne.cli.render.values import duration, size

if TYPE_CHECKING:
    from marianne.replies.conductor import ConductorStatus, TracesSent
    from marianne.replies.job import Job


def print_overview(conductor: ConductorStatus | None, jobs: Sequence[Job]) -> None:
    """One line about the conductor, then the active jobs."""
    if conductor is None:
        say("no conductor is running; unfinished jobs go on when one starts: marianne start")
    else:
        _print_line(conductor)
    if jobs:
        say()
        print_jobs(jobs)


def _print_line(conductor: ConductorStatus) -> None:
    ready = conductor.get("ready", True)
    word = paint("ready", "green") if ready else paint("not ready", "yellow")
    say(
        f"conductor {conductor['pid']} {word}, up {duration(conductor['uptime_seconds'])}, "
        f"{_count(conductor.get('running_jobs', 0), 'job')} running"
        + (f", pressure {conductor['pressure']}" if _pressed(conductor.get("pressure")) else "")
    )


def print_conductor(status: ConductorStatus) -> None:
    """Every field, one a line."""
    disk = status.get("disk") or {}
    facts = {
        "pid": status.get("pid"),
        "heart": status.get("heart_pid"),
        "version": status.get("version"),
        "home": status.get("home"),
        "up": duration(status.get("uptime_seconds")),
        "ready": "yes" if status.get("ready", True) else "no",
        "pressure": status.get("pressure"),
        "storage": status.get("storage"),
        "nodes": clean(status.get("nodes") or ""),
        "traces": _traces(status.get("traces")),
        "jobs": f"{status.get('running_jobs', 0)} running, "
        f"{status.get('total_jobs_active', 0)} active",
        "memory": f"{status['memory_usage_mb']:.0f} MiB"
        if status.get("memory_usage_mb") is not None
        else None,
        "disk": ", ".join(_disk(key, value) for key, value in disk.items() if value is not None)
        if isinstance(disk, Mapping)
        else disk,
    }
    for name, value in facts.items():
        if value not in (None, ""):
            say(f"{paint(f'{name:<9}', 'dim')} {clean(str(value))}")


def _traces(told: TracesSent | None) -> str | None:
    if not told:
        return None
    words = f"{told['sent']} spans sent to {told['endpoint']}, {told['dropped']} dropped"
    return words if told["trouble"] == "ok" else f"{words}; {told['trouble']}"


def _pressed(pressure: Any) -> bool:
    return bool(pressure) and str(pressure) not in ("none", "normal", "NONE")


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _disk(key: str, value: Any) -> str:
    """``72.4 KiB``, ``1.0 GiB free``, ``12 jobs``."""
    if key == "bytes" or key.endswith("_bytes"):
        return f"{size(value)} {key.removesuffix('bytes').removesuffix('_')}".rstrip()
    return f"{value} {key.replace('_', ' ')}"

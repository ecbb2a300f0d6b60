"""The conductor's figures: what is known anyway is read, the rest was counted as it happened.

No label names a job, a sheet or a person's word other than an instrument: each value of a label is
kept by who reads them, for good.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from itertools import accumulate
from typing import TYPE_CHECKING, Literal

from marianne.daemon.shared.figures import Figures, Histogram, kind_of
from marianne.daemon.views.traces import traces_sent
from marianne.schedule.pressure import PressureLevel
from marianne.state.models import JobStatus
from marianne.state.reader import Reader
from marianne.version import version

if TYPE_CHECKING:
    from actors.inspect import TreeNode
    from marianne.daemon.context import Context
    from marianne.replies.metrics import Family, Sample

LEVELS = tuple(PressureLevel)
MB = float(2**20)

Labels = Mapping[str, str]


def metrics(context: Context, reader: Reader) -> list[Family]:
    """All of them, in the order in which they are shown."""
    return [
        *_conductor(context),
        *_work(context, reader),
        *_attempts(context.figures),
        *_parts(context),
        *_load(context),
        *_limits(context),
    ]


def _conductor(context: Context) -> Iterable[Family]:
    yield gauge("marianne_build_info", "The version that runs.", 1, version=version())
    about = "When the conductor began, in seconds since the epoch."
    yield gauge("marianne_start_time_seconds", about, context.started_at)
    ready = context.resources.is_accepting_work() and context.stop.mode is None
    ready = ready and context.storage.words() is None
    yield gauge("marianne_accepting_work", "Whether new jobs are taken.", ready)
    heart = not context.heart_lost
    yield gauge("marianne_heart_alive", "Whether a conductor that dies would be replaced.", heart)


def _work(context: Context, reader: Reader) -> Iterable[Family]:
    statuses = reader.statuses()
    found = {str(status): float(statuses.get(status, 0)) for status in JobStatus}
    yield by("gauge", "marianne_jobs", "Jobs that are kept, by status.", "status", found)
    sheets = {str(status): float(number) for status, number in reader.sheet_totals().items()}
    yield by("gauge", "marianne_sheets", "Sheets of these jobs, by status.", "status", sheets)
    queue = context.scheduling
    queued = 0 if queue is None else queue.queued_count
    yield gauge("marianne_sheets_queued", "Sheets that are ready and wait for a slot.", queued)
    active = 0 if queue is None else queue.active_count
    yield gauge("marianne_sheets_active", "Sheets that hold a slot.", active)
    about = "Seconds from being ready to being granted."
    yield histograms("marianne_sheet_wait_seconds", about, [({}, context.figures.waits)])


def _attempts(figures: Figures) -> Iterable[Family]:
    counted = sorted(figures.attempts.copy().items())
    name = "marianne_attempts_total"
    samples = [
        _sample(name, number, {"instrument": instrument, "outcome": outcome})
        for (instrument, outcome), number in counted
    ]
    yield _family(name, "counter", "Attempts that have ended.", samples)
    runs = sorted(figures.runs.copy().items())
    found = [({"instrument": instrument}, ran) for instrument, ran in runs]
    yield histograms("marianne_attempt_run_seconds", "How long attempts took.", found)


def _parts(context: Context) -> Iterable[Family]:
    figures = context.figures
    about = "Actors that crashed and were started again."
    restarts = {name: float(number) for name, number in sorted(figures.restarts.copy().items())}
    yield by("counter", "marianne_actor_restarts_total", about, "actor", restarts)
    waiting: Counter[str] = Counter()
    _count_mail(context.system.tree(), waiting)
    mail = {name: float(number) for name, number in sorted(waiting.items())}
    about = "Messages that wait for an actor, those of one kind together."
    yield by("gauge", "marianne_mailbox_messages", about, "actor", mail)
    about = "Seconds that transactions took until they were on disk."
    yield histograms("marianne_store_commit_seconds", about, [({}, figures.commits)])
    failing = context.storage.words() is not None
    yield gauge("marianne_store_failing", "Whether the state cannot be written.", failing)
    behind = max(0, figures.committed - figures.published)
    about = "Events that are on disk and not published yet."
    yield gauge("marianne_events_unpublished", about, behind)
    about = "Notices that are not told yet."
    yield gauge("marianne_notices_waiting", about, context.delivery.waiting)
    about = "Notices in a row that reached nobody."
    yield gauge("marianne_notices_undelivered", about, context.delivery.undelivered)
    yield from _traces(context)


def _traces(context: Context) -> Iterable[Family]:
    told = traces_sent(context)
    sent, dropped, waiting = (
        (0, 0, 0) if told is None else (told["sent"], told["dropped"], told["waiting"])
    )
    about = "Spans that the collector took."
    yield counter("marianne_trace_spans_sent_total", about, sent)
    about = "Spans that the collector will never be told of, about."
    yield counter("marianne_trace_spans_dropped_total", about, dropped)
    about = "Events that the collector was not told of yet."
    yield gauge("marianne_trace_events_waiting", about, waiting)
    failing = told is not None and told["trouble"] != "ok"
    yield gauge("marianne_traces_failing", "Whether the collector cannot be told.", failing)


def _load(context: Context) -> Iterable[Family]:
    resources = context.resources
    level = LEVELS.index(context.backpressure.current_level())
    yield gauge("marianne_pressure_level", f"0 to {len(LEVELS) - 1}: {', '.join(LEVELS)}.", level)
    memory = MB * (resources.current_memory_mb() or 0.0)
    yield gauge("marianne_memory_bytes", "Memory of all processes together.", memory)
    about = "Processes, those of sheets included."
    yield gauge("marianne_processes", about, resources.child_processes)
    by_job = list(resources.by_job.values())
    yield gauge("marianne_workers", "Jobs with sheets in a worker process.", len(by_job))
    about = "Memory of the sheets of all jobs."
    yield gauge("marianne_workers_memory_bytes", about, MB * sum(by_job))
    about = "Memory of the sheets of the job that uses most."
    yield gauge("marianne_worker_memory_max_bytes", about, MB * max(by_job, default=0.0))


def _limits(context: Context) -> Iterable[Family]:
    config, resources = context.config, context.resources
    limits = {
        "jobs": config.max_concurrent_jobs,
        "sheets": config.max_concurrent_sheets,
        "agents": config.max_concurrent_agents,
        "processes": resources.max_processes,
        "memory_bytes": MB * resources.max_memory_mb,
        "api_calls_per_minute": config.resource_limits.max_api_calls_per_minute,
    }
    yield by("gauge", "marianne_limit", "What is allowed at most.", "of", limits)
    name = "marianne_rate_limit_seconds"
    samples = []
    for key, left in sorted(context.rate_limits.active_limits().items()):
        instrument, _, model = key.partition("/")
        samples.append(_sample(name, round(left, 1), {"instrument": instrument, "model": model}))
    about = "Seconds until an instrument that refuses work is asked again."
    yield _family(name, "gauge", about, samples)


def _count_mail(nodes: Iterable[TreeNode], into: Counter[str]) -> None:
    for node in nodes:
        into[kind_of(node["name"])] += node["mailbox"]
        _count_mail(node["children"], into)


# -- families -----------------------------------------------------------------------------------


def gauge(name: str, about: str, value: float, **labels: str) -> Family:
    """One number."""
    return _family(name, "gauge", about, [_sample(name, value, labels)])


def counter(name: str, about: str, value: float) -> Family:
    """One number that grows."""
    return _family(name, "counter", about, [_sample(name, value, {})])


def by(
    kind: Literal["counter", "gauge"], name: str, about: str, label: str, found: Mapping[str, float]
) -> Family:
    """A number for each value of a label."""
    samples = [_sample(name, value, {label: key}) for key, value in found.items()]
    return _family(name, kind, about, samples)


def histograms(name: str, about: str, found: Iterable[tuple[Labels, Histogram]]) -> Family:
    """Distributions of one thing; a bucket counts all that are not above its bound."""
    samples: list[Sample] = []
    for labels, histogram in found:
        below = list(accumulate(list(histogram.counts)))
        bounds = [*map(repr, histogram.bounds), "+Inf"]
        for bound, number in zip(bounds, below, strict=True):
            samples.append(_sample(f"{name}_bucket", number, {**labels, "le": bound}))
        samples.append(_sample(f"{name}_sum", histogram.sum, labels))
        samples.append(_sample(f"{name}_count", below[-1], labels))
    return _family(name, "histogram", about, samples)


def _sample(name: str, value: float, labels: Labels) -> Sample:
    return {"name": name, "labels": dict(labels), "value": float(value)}


def _family(
    name: str, kind: Literal["counter", "gauge", "histogram"], about: str, samples: list[Sample]
) -> Family:
    return {"name": name, "type": kind, "help": about, "samples": samples}

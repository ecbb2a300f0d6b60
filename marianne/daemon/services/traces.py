"""Has a collector told of jobs, sheets and attempts where ``traces.endpoint`` says."""

from __future__ import annotations

from marianne.daemon.context import Context
from marianne.daemon.services.serving import Wanted
from marianne.daemon.shared.log import get_logger
from marianne.state.reader import Reader
from marianne.traces import progress

log = get_logger(__name__)


class Traces:
    """The process is :mod:`marianne.traces.exporter`; how far it has come stands in the home."""

    what = "traces"
    done = "sent"
    for_one_job = True
    target = "marianne.traces.exporter:export_main"

    def __init__(self, context: Context) -> None:
        self._context = context

    def wanted(self) -> Wanted | None:
        """Telling the collector, where one is named."""
        config, home = self._context.config.traces, self._context.home
        seed = self._context.trace_seed
        if config.endpoint is None or seed is None:
            progress.forget(home.path)
            return None
        self._begin()
        from marianne.daemon.config.secret import masked_url
        from marianne.traces.settings import Settings

        given = Settings(
            home=str(home.path),
            db=str(home.db),
            events_sock=str(home.events_sock),
            seed=seed,
            url=config.url,
            headers=config.headers,
        )
        return Wanted(masked_url(config.endpoint), None, (given,))

    def _begin(self) -> None:
        """What happens from now on is told, whenever the process looks."""
        home = self._context.home
        if progress.read(home.path) is not None:
            return
        with Reader(home.db) as reader:
            last = reader.events.last_seq()
        try:
            progress.write(home.path, progress.Progress(last))
        except OSError as error:
            log.warning("traces_begin_later", error=str(error))

    def told(self, why: str | None) -> None:
        """``conductor-status`` says so too."""
        self._context.figures.unsent = why

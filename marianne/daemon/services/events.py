"""The publisher of committed events.

Events come from the store, in order and already on disk, so that what a tail sees has happened.
Publishing never waits: ZeroMQ drops what a slow tail does not take, the tail notices the gap by
the numbers and asks ``events.since``. A crash here costs nobody an event for the same reason.
"""

from __future__ import annotations

from collections.abc import Sequence

from actors import Actor, ExitReason, Timer
from ipc.publisher import TICK, Publisher, topic_of
from marianne.crashpoints import crash_point
from marianne.daemon.context import Context
from marianne.daemon.output import LOGGER
from marianne.daemon.shared.log import tell_often
from marianne.daemon.shared.outside import Outside
from marianne.daemon.shared.places import bind_again
from marianne.daemon.views import wire
from marianne.state.models import Event

TICK_AFTER = 1.0
"""Seconds after the last event when its number is said again, so that its loss is noticed."""

OF_THE_MANAGER = frozenset({"job.submitted", "job.pending", "job.started", "job.modified"})
"""What happens to jobs that have no actor: it is logged here, the rest where the job's actor is."""


class Events(Actor):
    """Publishes on ``events.sock``; then, once it is quiet, one ``daemon.tick``."""

    def __init__(self, context: Context) -> None:
        super().__init__()
        self._context = context
        self._last = 0
        self._tick: Timer | None = None
        self._publisher: Publisher | None = None  # None where it could not be bound again
        self._outside = Outside(
            context.home, context.config.listen, context.unserved, Publisher, events=True
        )

    def on_start(self) -> None:
        """Binds the socket; the conductor's lock makes us its only owner."""
        self._listen()
        self._outside.look()

    def on_stop(self, reason: ExitReason) -> None:
        """Closes the socket; what is still queued for living tails is sent within 0.2 s."""
        if self._publisher is not None:
            self._publisher.stop()
        self._outside.stop()

    def _listen(self) -> None:
        publisher = Publisher(self._context.home.events_sock)
        publisher.start()
        self._publisher = publisher

    def look(self) -> None:
        """Binds again where the socket's file was removed; tails ask for what they missed."""
        if self._publisher is None or not self._publisher.endpoint.is_ours():
            if self._publisher is not None:
                self._publisher.stop()
            self._publisher = None
            bind_again(self._context.home.events_sock, self._listen)
        self._outside.look()

    def _publishers(self) -> list[Publisher]:
        return [one for one in (self._publisher, self._outside.socket) if one is not None]

    def publish(self, events: Sequence[Event]) -> None:
        """Publishes committed events in their order."""
        crash_point("events.before-publish")
        for publisher in self._publishers():
            publisher.publish_batch(
                (topic_of(event.job_id, event.event), wire.event_map(event)) for event in events
            )
        crash_point("events.after-publish")
        for event in events:
            if event.event in OF_THE_MANAGER:
                fields = {"job_id": event.job_id, "data": dict(event.data)}
                tell_often(LOGGER, event.event, fields, soon=True)
        self._last = self._context.figures.published = events[-1].seq
        if self._tick is None:
            self._tick = self.send_after(TICK_AFTER, self.tick, self._last)

    def tick(self, seen: int) -> None:
        """Says the highest number if nothing came since, else waits for another quiet second."""
        self._tick = None
        if seen != self._last:
            self._tick = self.send_after(TICK_AFTER, self.tick, self._last)
            return
        body = {"seq": self._last, "prev": self._last, "job_id": None, "event": TICK}
        for publisher in self._publishers():
            publisher.publish(TICK, body)

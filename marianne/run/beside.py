"""A command line of the score's beside a sheet's program: a check, a skip condition."""

from __future__ import annotations

from collections.abc import Callable

from marianne.run.child import Child, Ended
from marianne.run.limits import Limits, Watch
from marianne.run.spawn import Command
from marianne.run.workshop import Workshop


def start_beside(
    shop: Workshop,
    label: str,
    command: Command,
    timeout: float,
    done: Callable[[Ended, str | None], None],
) -> tuple[Child, Watch]:
    """Starts it; ``done`` gets how it ended, and which limit it was ended for, if it was. Raises
    what Nursery.start raises."""
    over: list[str] = []

    def ended(result: Ended) -> None:
        watch.stop()
        done(result, over[0] if over else None)

    def exceeded(_category: str, message: str) -> None:
        over.append(message)
        shop.nursery.end(child)

    child = shop.nursery.start(command, ended, label, shop.grace)
    limits = Limits(timeout=timeout, output=shop.output_limit)
    watch = Watch(shop.loop, shop.nursery, child, limits, (command.stdout,), exceeded)
    return child, watch

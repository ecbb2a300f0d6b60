"""Which executors there are: a name and a line each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from marianne.daemon.context import Context
from marianne.daemon.worker.executor import LocalExecutor
from marianne.executors.protocol import Executor

DEFAULT: Final = "local"

EXECUTORS: Final[Mapping[str, Callable[[Context], Executor]]] = {
    "local": LocalExecutor,
}
"""What makes each. One that needs a library imports it when it is made."""


def executor_of(context: Context, name: str = DEFAULT) -> Executor:
    """What runs the sheets of this conductor. KeyError for a name that there is not."""
    return EXECUTORS[name](context)

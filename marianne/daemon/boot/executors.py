"""Which executors there are: a kind and a line each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final

from marianne.daemon.config.machine import LOCAL
from marianne.daemon.context import Context
from marianne.daemon.worker.executor import LocalExecutor
from marianne.executors.protocol import Executor

if TYPE_CHECKING:
    from marianne.daemon.config.executors import ExecutorConfig


def _dask(context: Context, config: ExecutorConfig) -> Executor:
    from marianne.daemon.cluster.executor import ClusterExecutor

    bridge = "marianne.executors.dask.bridge:bridge_main"
    return ClusterExecutor(context, config, bridge, LocalExecutor(context))


def _slurm(context: Context, config: ExecutorConfig) -> Executor:
    from marianne.daemon.cluster.executor import ClusterExecutor

    bridge = "marianne.executors.slurm.bridge:bridge_main"
    return ClusterExecutor(context, config, bridge, LocalExecutor(context))


KINDS: Final[Mapping[str, Callable[[Context, ExecutorConfig], Executor]]] = {
    "dask": _dask,
    "slurm": _slurm,
}
"""What makes each kind of ``executors`` in the configuration. A library is imported by whoever
needs it, never by the conductor."""


def executor_of(context: Context) -> Executor:
    """What runs the sheets of this conductor."""
    name = context.config.executor
    if name == LOCAL:
        return LocalExecutor(context)
    config = next(one for one in context.config.executors if one.name == name)
    return KINDS[config.kind](context, config)

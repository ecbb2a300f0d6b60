"""Which executors there are: a kind and a line each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final

from marianne.daemon.context import Context
from marianne.daemon.worker.executor import LocalExecutor
from marianne.executors.protocol import Executor

if TYPE_CHECKING:
    from marianne.daemon.cluster.executor import ClusterExecutor
    from marianne.daemon.config.executors import ExecutorConfig


def _dask(context: Context, config: ExecutorConfig) -> ClusterExecutor:
    from marianne.daemon.cluster.executor import ClusterExecutor

    return ClusterExecutor(context, config, "marianne.executors.dask.bridge:bridge_main")


def _slurm(context: Context, config: ExecutorConfig) -> ClusterExecutor:
    from marianne.daemon.cluster.executor import ClusterExecutor

    return ClusterExecutor(context, config, "marianne.executors.slurm.bridge:bridge_main")


KINDS: Final[Mapping[str, Callable[[Context, ExecutorConfig], ClusterExecutor]]] = {
    "dask": _dask,
    "slurm": _slurm,
}
"""What makes each kind of ``executors`` in the configuration. A library is imported by whoever
needs it, never by the conductor."""


def executor_of(context: Context) -> Executor:
    """What runs the sheets of this conductor."""
    local = LocalExecutor(context)
    if not context.config.executors:
        return local
    from marianne.daemon.cluster.executors import Executors

    clusters = {one.name: KINDS[one.kind](context, one) for one in context.config.executors}
    return Executors(context, local, clusters)

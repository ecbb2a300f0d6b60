"""A configuration in which nothing is set, without the model of it.

Importing pydantic and building the model is a fifth of what a conductor computes until it serves.
Where nothing is set, all that boot reads is some defaults, and so is what is looked at while nobody
asks anything; the model comes when anything else is asked. A test compares what stands here with
the model, and one sees that a start does without it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from marianne.daemon.config import machine

if TYPE_CHECKING:
    from collections.abc import Callable

    from marianne.daemon.config.model import DaemonConfig
    from marianne.home import Home


class _Known:
    """Some values of a section; ``model`` makes all of it when something else is asked."""

    def __init__(self, model: Callable[[], Any], values: Mapping[str, Any]) -> None:
        self.__dict__ = {**values, "_model": model}

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # what Python looks for in any object
            raise AttributeError(name)
        return getattr(self._model(), name)


class Untouched(_Known):
    """Reads as the :class:`DaemonConfig` of this home in which nothing is set."""

    def __init__(self, home: Home) -> None:
        limits = _Known(
            lambda: self._whole().resource_limits,
            {"max_memory_mb": 8192, "max_processes": 1000, "max_api_calls_per_minute": 60},
        )
        learning = _Known(
            lambda: self._whole().learning,
            {"enabled": True, "exploration_budget": 0.15, "entropy_check_interval_seconds": 3600.0},
        )
        metrics = _Known(lambda: self._whole().metrics, {"listen": None, "address": None})
        traces = _Known(lambda: self._whole().traces, {"endpoint": None})
        retention = _Known(
            lambda: self._whole().retention,
            {"event_days": 30.0, "event_mb": 256, "output_days": 30.0, "output_mb": 10240},
        )
        web = _Known(lambda: self._whole().web, {"enabled": False})
        super().__init__(
            self._whole,
            {
                "web": web,
                "traces": traces,
                "retention": retention,
                "resource_limits": limits,
                "learning": learning,
                "metrics": metrics,
                "notifications": [],
                "max_job_history": 1000,
                "max_concurrent_jobs": 15,
                "max_concurrent_sheets": machine.SLOTS,
                "max_concurrent_agents": 25,
                "listen": None,
                "executor": machine.LOCAL,
                "executors": [],
                "log_level": "info",
                "monitor_interval_seconds": 15.0,
                "config_file": None,
                "kept_from": None,
            },
        )
        self._home = home
        self._built: DaemonConfig | None = None

    @property
    def supply(self) -> tuple[int, int, tuple[str, ...]]:
        """As :attr:`DaemonConfig.supply`."""
        return machine.supply(None, self.resource_limits.max_memory_mb, ())

    @property
    def staged(self) -> tuple[str, ...]:
        """As :attr:`DaemonConfig.staged`."""
        return ()

    @property
    def executor_names(self) -> tuple[str, ...]:
        """As :attr:`DaemonConfig.executor_names`."""
        return (machine.LOCAL,)

    @property
    def batch(self) -> tuple[str, ...]:
        """As :attr:`DaemonConfig.batch`."""
        return ()

    def at(self, home: Home) -> Home:
        """The home as it is: no file of it is set elsewhere."""
        return home

    def _whole(self) -> DaemonConfig:
        if self._built is None:
            from marianne.daemon.config import placed
            from marianne.daemon.config.model import DaemonConfig

            self._built = placed(DaemonConfig.model_construct(), self._home)
        return self._built


class EveryDefault(Mapping[str, str]):
    """Where the values of an untouched configuration come from, by dotted name."""

    def __getitem__(self, name: str) -> str:
        if name in tuple(self):
            return "default"
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        from marianne.daemon.config.model import DaemonConfig

        return DaemonConfig.names()

    def __len__(self) -> int:
        return sum(1 for _ in self)

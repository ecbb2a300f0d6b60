"""Which method answers what, for who asks: the type of ``request(method, params)``."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias, TypedDict, Unpack, overload

if TYPE_CHECKING:
    from actors.inspect import TreeNode
    from ipc.client import Client
    from marianne.replies import (
        changes,
        conductor,
        executors,
        groups,
        metrics,
        reports,
        schedules,
    )
    from marianne.replies import job as jobs

Params: TypeAlias = dict[str, Any]


class How(TypedDict, total=False):
    """``deadline`` is in seconds; what is refused with a code in ``retry`` is asked again."""

    deadline: float | None
    client: Client | None
    retry: Collection[str]
    request_id: str | None


class Ask(Protocol):
    """The conductor's answer to a method."""

    # By scripts/protocol-tables, from the handlers' annotations.
    @overload
    def __call__(
        self, m: Literal["hello"], p: Params = ..., /, **how: Unpack[How]
    ) -> conductor.Hello: ...
    @overload
    def __call__(
        self, m: Literal["job.cancel"], p: Params = ..., /, **how: Unpack[How]
    ) -> changes.Several[changes.Cancelled]: ...
    @overload
    def __call__(
        self, m: Literal["job.clear"], p: Params = ..., /, **how: Unpack[How]
    ) -> changes.Cleared: ...
    @overload
    def __call__(
        self, m: Literal["job.diagnose"], p: Params = ..., /, **how: Unpack[How]
    ) -> reports.Diagnosis: ...
    @overload
    def __call__(
        self, m: Literal["job.errors"], p: Params = ..., /, **how: Unpack[How]
    ) -> reports.Errors: ...
    @overload
    def __call__(
        self, m: Literal["job.explain"], p: Params = ..., /, **how: Unpack[How]
    ) -> reports.Explained: ...
    @overload
    def __call__(
        self, m: Literal["job.history"], p: Params = ..., /, **how: Unpack[How]
    ) -> reports.History: ...
    @overload
    def __call__(
        self, m: Literal["job.list"], p: Params = ..., /, **how: Unpack[How]
    ) -> jobs.JobPage: ...
    @overload
    def __call__(
        self, m: Literal["job.map"], p: Params = ..., /, **how: Unpack[How]
    ) -> jobs.SheetMap: ...
    @overload
    def __call__(
        self, m: Literal["job.modify"], p: Params = ..., /, **how: Unpack[How]
    ) -> changes.Modified: ...
    @overload
    def __call__(
        self, m: Literal["job.output"], p: Params = ..., /, **how: Unpack[How]
    ) -> reports.Output: ...
    @overload
    def __call__(
        self, m: Literal["job.pause"], p: Params = ..., /, **how: Unpack[How]
    ) -> changes.Several[changes.Paused]: ...
    @overload
    def __call__(
        self, m: Literal["job.plan"], p: Params = ..., /, **how: Unpack[How]
    ) -> jobs.JobPlan: ...
    @overload
    def __call__(
        self, m: Literal["job.recover"], p: Params = ..., /, **how: Unpack[How]
    ) -> changes.Recovered: ...
    @overload
    def __call__(
        self, m: Literal["job.resume"], p: Params = ..., /, **how: Unpack[How]
    ) -> changes.Several[changes.Resumed]: ...
    @overload
    def __call__(
        self, m: Literal["job.retry"], p: Params = ..., /, **how: Unpack[How]
    ) -> changes.Retried: ...
    @overload
    def __call__(
        self, m: Literal["job.status"], p: Params = ..., /, **how: Unpack[How]
    ) -> jobs.Status: ...
    @overload
    def __call__(
        self, m: Literal["job.submit"], p: Params = ..., /, **how: Unpack[How]
    ) -> changes.Submitted: ...
    @overload
    def __call__(
        self, m: Literal["job.timeline"], p: Params = ..., /, **how: Unpack[How]
    ) -> reports.Timeline: ...
    @overload
    def __call__(
        self, m: Literal["job.wait"], p: Params = ..., /, **how: Unpack[How]
    ) -> jobs.Job: ...
    @overload
    def __call__(
        self, m: Literal["group.add"], p: Params = ..., /, **how: Unpack[How]
    ) -> groups.Group: ...
    @overload
    def __call__(
        self, m: Literal["group.list"], p: Params = ..., /, **how: Unpack[How]
    ) -> groups.GroupList: ...
    @overload
    def __call__(
        self, m: Literal["group.remove"], p: Params = ..., /, **how: Unpack[How]
    ) -> groups.Group: ...
    @overload
    def __call__(
        self, m: Literal["schedule.add"], p: Params = ..., /, **how: Unpack[How]
    ) -> schedules.ScheduleChanged: ...
    @overload
    def __call__(
        self, m: Literal["schedule.list"], p: Params = ..., /, **how: Unpack[How]
    ) -> schedules.Schedules: ...
    @overload
    def __call__(
        self, m: Literal["schedule.pause"], p: Params = ..., /, **how: Unpack[How]
    ) -> schedules.ScheduleChanged: ...
    @overload
    def __call__(
        self, m: Literal["schedule.remove"], p: Params = ..., /, **how: Unpack[How]
    ) -> schedules.ScheduleChanged: ...
    @overload
    def __call__(
        self, m: Literal["schedule.resume"], p: Params = ..., /, **how: Unpack[How]
    ) -> schedules.ScheduleChanged: ...
    @overload
    def __call__(
        self, m: Literal["schedule.run_now"], p: Params = ..., /, **how: Unpack[How]
    ) -> changes.Submitted: ...
    @overload
    def __call__(
        self, m: Literal["events.since"], p: Params = ..., /, **how: Unpack[How]
    ) -> conductor.EventPage: ...
    @overload
    def __call__(
        self, m: Literal["daemon.clear_rate_limits"], p: Params = ..., /, **how: Unpack[How]
    ) -> conductor.ClearedLimits: ...
    @overload
    def __call__(
        self, m: Literal["daemon.config"], p: Params = ..., /, **how: Unpack[How]
    ) -> conductor.ConfigInForce: ...
    @overload
    def __call__(
        self, m: Literal["daemon.drain_node"], p: Params = ..., /, **how: Unpack[How]
    ) -> executors.Drained: ...
    @overload
    def __call__(
        self, m: Literal["daemon.executors"], p: Params = ..., /, **how: Unpack[How]
    ) -> list[executors.Executor]: ...
    @overload
    def __call__(
        self, m: Literal["daemon.health"], p: Params = ..., /, **how: Unpack[How]
    ) -> conductor.Health: ...
    @overload
    def __call__(
        self, m: Literal["daemon.keys"], p: Params = ..., /, **how: Unpack[How]
    ) -> conductor.KeysInForce: ...
    @overload
    def __call__(
        self, m: Literal["daemon.metrics"], p: Params = ..., /, **how: Unpack[How]
    ) -> metrics.Metrics: ...
    @overload
    def __call__(
        self, m: Literal["daemon.rate_limits"], p: Params = ..., /, **how: Unpack[How]
    ) -> conductor.RateLimits: ...
    @overload
    def __call__(
        self, m: Literal["daemon.ready"], p: Params = ..., /, **how: Unpack[How]
    ) -> conductor.Readiness: ...
    @overload
    def __call__(
        self, m: Literal["daemon.reload"], p: Params = ..., /, **how: Unpack[How]
    ) -> conductor.Reloaded: ...
    @overload
    def __call__(
        self, m: Literal["daemon.shutdown"], p: Params = ..., /, **how: Unpack[How]
    ) -> conductor.Stopping: ...
    @overload
    def __call__(
        self, m: Literal["daemon.status"], p: Params = ..., /, **how: Unpack[How]
    ) -> conductor.ConductorStatus: ...
    @overload
    def __call__(
        self, m: Literal["daemon.tree"], p: Params = ..., /, **how: Unpack[How]
    ) -> list[TreeNode]: ...

"""What each kind of page shows: its parts by name, as the conductor tells them."""

from __future__ import annotations

from typing import Any, Final

from marianne.cli.errors import CliError
from marianne.client.conductor import Conductor
from marianne.web.watch import Snapshot, View

JOBS: Final = 300
"""In one list at most."""

NEEDING: Final = ("paused", "pending", "failed")
"""Jobs that may wait for a person."""

COUNTED: Final = ("running", "queued", "pending", "paused", "failed", "completed", "cancelled")
STATUSES: Final = (*COUNTED, "pausing", "cancelling")

OVERVIEW_SECONDS: Final = 1.5
"""Between two looks at all jobs, however much happens."""

LIVE_SECONDS: Final = 2.0
"""Between two looks at what changes without an event: the tree, memory."""


def view_of(conductor: Conductor, asked: dict[str, str]) -> View:
    """The view that a page asks for by its address. Raises CliError for one that is none."""
    match asked.get("view"):
        case "overview":
            return View(_Overview(conductor, asked).snapshot, every=30.0, pause=OVERVIEW_SECONDS)
        case "job" if asked.get("job"):
            return View(_Job(conductor, asked["job"]).snapshot, job=asked["job"])
        case "sheet" if asked.get("job") and asked.get("sheet", "").isdecimal():
            page = _Sheet(conductor, asked["job"], int(asked["sheet"]))
            return View(page.snapshot, job=asked["job"])
        case "conductor":
            return View(_Conductor(conductor).snapshot, every=LIVE_SECONDS)
    raise CliError("invalid_params", "there is no such view")


class _Overview:
    def __init__(self, conductor: Conductor, asked: dict[str, str]) -> None:
        self._ask = conductor.ask
        chosen = [one for one in asked.get("status", "").split(",") if one in STATUSES]
        self._params = {"statuses": chosen} if chosen else {"all": asked.get("all") == "1"}

    async def snapshot(self) -> Snapshot:
        jobs = await self._ask("job.list", limit=JOBS, **self._params)
        needing = await self._ask("job.list", limit=JOBS, statuses=[*NEEDING])
        counts = {
            status: (await self._ask("job.list", limit=1, statuses=[status]))["total"]
            for status in COUNTED
        }
        status = await self._ask("daemon.status")
        names = ("pid", "version", "ready", "pressure", "storage", "active_sheets", "home")
        return {
            "jobs": {"jobs": jobs["jobs"], "total": jobs["total"]},
            "needs": needing["jobs"],
            "counts": counts,
            "status": {name: status[name] for name in names},
        }


class _Job:
    def __init__(self, conductor: Conductor, job: str) -> None:
        self._ask = conductor.ask
        self._job = job

    async def snapshot(self) -> Snapshot:
        told: dict[str, Any] = await self._ask("job.map", job_id=self._job)
        states = told.pop("states")
        return {"job": told, "map": states}


class _Sheet:
    def __init__(self, conductor: Conductor, job: str, sheet: int) -> None:
        self._ask = conductor.ask
        self._job = job
        self._sheet = sheet

    async def snapshot(self) -> Snapshot:
        told = await self._ask("job.status", job_id=self._job, sheets=[self._sheet, self._sheet])
        sheets = told.pop("sheets")
        if not sheets:
            raise CliError("not_found", f"job {self._job} has no sheet {self._sheet}")
        return {"job": told, "sheet": sheets[0]}


class _Conductor:
    def __init__(self, conductor: Conductor) -> None:
        self._ask = conductor.ask

    async def snapshot(self) -> Snapshot:
        status = await self._ask("daemon.status")
        health = await self._ask("daemon.health")
        return {
            "tree": await self._ask("daemon.tree"),
            "status": status,
            "ready": await self._ask("daemon.ready"),
            "troubles": {name: health[name] for name in ("storage", "starts", "workers")},
            "limits": (await self._ask("daemon.rate_limits"))["limits"],
            "executors": await self._ask("daemon.executors"),
        }

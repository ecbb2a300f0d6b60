"""What all attempts of a job share."""

from __future__ import annotations

from marianne.run.archive import archive_once
from marianne.run.loop import Loop
from marianne.run.nursery import Nursery
from marianne.run.tools import Tools
from marianne.score.plan import Plan


class Workshop:
    """The plan, the places and the means. ``env`` is the submitter's with our names over it."""

    def __init__(
        self,
        *,
        plan: Plan,
        env: dict[str, str],
        job_id: str,
        job_dir: str,
        owner: str,
        grace: float,
        output_limit: int | None,
        loop: Loop,
        nursery: Nursery,
        tools: Tools,
        fresh: bool = False,
    ) -> None:
        self.plan = plan
        self.job_id = job_id
        self.job_dir = job_dir
        self.grace = grace
        self.output_limit = output_limit
        self.loop = loop
        self.nursery = nursery
        self.tools = tools
        self._fresh = fresh
        self.env = env | {
            "MARIANNE_JOB_ID": job_id,
            "MARIANNE_WORKSPACE": plan.workspace,
            "MARIANNE_OWNER": owner,
            "PYTHONUNBUFFERED": "1",
        }

    def clear(self) -> None:
        """Before a sheet: moves what earlier jobs left out of the workspace if this one is to be
        fresh and its score wants that. Once a job; raises ArchiveError."""
        section = self.plan.extras.get("workspace_lifecycle")
        if self._fresh and section and section["archive_on_fresh"]:
            archive_once(self.plan, section, self.job_dir)
        self._fresh = False

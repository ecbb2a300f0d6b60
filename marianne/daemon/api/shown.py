"""The job that a person wants to see."""

from __future__ import annotations

from marianne.daemon.api.request_context import Call
from marianne.daemon.shared import edge


class Shown(edge.Params):
    """One job, by id or unique prefix. With ``newest`` the name of a score means its newest job,
    also where the id of an older one is the same."""

    job_id: edge.Name
    newest: bool = False

    def resolve(self, call: Call) -> str:
        """The id that is meant. Refuses with ``not_found``."""
        return call.resolve(self.named(call))

    def named(self, call: Call) -> str:
        """The id, or what may be a prefix of one."""
        return call.newest(self.job_id) if self.newest else self.job_id

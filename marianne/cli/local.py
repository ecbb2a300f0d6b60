"""Running a score in this process: ``marianne run --local``."""

from __future__ import annotations

import os
from typing import Any

from marianne.cli.errors import CliError
from marianne.cli.exit_codes import BY_JOB_STATUS, INTERRUPTED


def run_local(
    params: dict[str, Any], instruments: str, *, quiet: bool
) -> tuple[dict[str, Any], int]:
    """Runs the score of a ``job.submit``; the job's status map and its exit code."""
    from marianne.daemon.job_service import JobService
    from marianne.daemon.output import ConsoleOutput, NullOutput
    from marianne.daemon.parse_child import parse
    from marianne.daemon.submission import parse_request
    from marianne.daemon.types import JobRequest
    from marianne.home import Home
    from marianne.score.pack import unpack_plan
    from marianne.state import ids

    request = JobRequest.model_validate(params)
    parsed = parse(parse_request(request, Home(os.path.dirname(instruments))))
    if "problems" in parsed:
        raise CliError("invalid_score", parsed["message"], data={"problems": parsed["problems"]})
    plan = unpack_plan(parsed["plan"])
    environment = {str(key): str(value) for key, value in request.environment.items()}
    service = JobService(output=NullOutput() if quiet else ConsoleOutput())
    status = service.run_job(plan, params["id"] or ids.from_name(plan.name), environment)
    return status, BY_JOB_STATUS.get(status["status"], INTERRUPTED)

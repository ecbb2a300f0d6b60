"""Running a score in this process: ``marianne run --local``."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from marianne.cli.errors import CliError
from marianne.cli.exit_codes import BY_JOB_STATUS, FAILED, INTERRUPTED

if TYPE_CHECKING:
    from marianne.daemon.config import DaemonConfig
    from marianne.daemon.local_job import LocalJob
    from marianne.daemon.parser import Parsed
    from marianne.daemon.types import JobRequest
    from marianne.home import Home


def plan_local(params: dict[str, Any], home: Home) -> dict[str, Any]:
    """The answer to a dry run of a ``job.submit``."""
    from marianne.daemon.submission import dry_run_response

    return dry_run_response(_read(_request(params), home))


def run_local(params: dict[str, Any], home: Home, *, quiet: bool) -> tuple[dict[str, Any], int]:
    """Runs the score of a ``job.submit``; the job's status map and its exit code.

    The conductor's settings apply, as far as they are of one job alone.
    """
    from marianne.cli.render.problems import print_warnings
    from marianne.daemon.output import ConsoleOutput, NullOutput

    request = _request(params)
    parsed = _read(request, home)
    print_warnings([*parsed.warnings, *_left_out(parsed)])
    output = NullOutput() if quiet else ConsoleOutput()
    status = local_job(request, parsed, _config(home), output=output).run()
    if status["status"] == "paused":  # without a conductor nobody lets it go on
        return status, FAILED
    return status, BY_JOB_STATUS.get(status["status"], INTERRUPTED)


def local_job(request: JobRequest, parsed: Parsed, config: DaemonConfig, **told: Any) -> LocalJob:
    """The job of a request whose score was read, for :meth:`LocalJob.run`; ``told`` are its output
    and callbacks. Raises CliError for what a conductor would refuse."""
    from marianne.daemon import submission
    from marianne.daemon.local_job import LocalJob
    from marianne.daemon.refusal import Refused
    from marianne.state import ids

    try:
        job_id = request.id or ids.from_name(parsed.name)
        submission.check_id(job_id)
        submission.check_sheets(request, parsed)
    except Refused as refusal:
        raise CliError(refusal.code, refusal.message, refusal.hint) from None
    row = submission.new_row(job_id, request, parsed, time.time())
    return LocalJob(row, parsed.plan, request.environment, config, **told)


def _request(params: dict[str, Any]) -> JobRequest:
    from marianne.daemon.types import JobRequest

    return JobRequest.model_validate(params)


def _read(request: JobRequest, home: Home) -> Parsed:
    from marianne.daemon.parse_child import parse
    from marianne.daemon.parser import Parsed
    from marianne.daemon.submission import parse_request

    found = parse(parse_request(request, home))
    if "problems" in found:
        raise CliError("invalid_score", found["message"], data={"problems": found["problems"]})
    return Parsed(**found)


def _config(home: Home) -> DaemonConfig:
    from marianne.daemon.config import ConfigError, load_config

    try:
        return load_config(home).config
    except ConfigError as error:
        raise CliError("invalid_config", str(error), "marianne config check") from None


def _left_out(parsed: Parsed) -> list[str]:
    """What only a conductor does."""
    return [
        f"{name}: only a conductor does this, not --local"
        for name in ("on_success", "notifications")
        if parsed.after.get(name)
    ]

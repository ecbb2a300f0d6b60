"""What the program's exit code tells a script, and which error gives which code."""

from __future__ import annotations

OK = 0
FAILED = 1  # the job failed or was cancelled, a check said no, or the conductor had a fault
USAGE = 2  # wrong arguments, an invalid score or an invalid config
NO_CONDUCTOR = 3
NOT_FOUND = 4  # no such job or sheet
CONFLICT = 5  # refused: it does not fit the job's present state
TRY_LATER = 75  # EX_TEMPFAIL of sysexits.h: pressure, or the conductor is busy
TIMED_OUT = 124  # as timeout(1)
INTERRUPTED = 130  # 128 + SIGINT
BROKEN_PIPE = 141  # 128 + SIGPIPE: who read our output left, as with any other Unix program

BY_ERROR = {
    # from the conductor (docs/protocol.md)
    "bad_request": USAGE,
    "invalid_params": USAGE,
    "invalid_score": USAGE,
    "not_found": NOT_FOUND,
    "conflict": CONFLICT,
    "pressure": TRY_LATER,
    "shutting_down": TRY_LATER,
    "unavailable": TRY_LATER,
    "deadline": TRY_LATER,
    "unsupported_version": FAILED,
    "unknown_method": FAILED,
    "internal": FAILED,
    # the command line's own
    "usage": USAGE,
    "invalid_config": USAGE,
    "no_conductor": NO_CONDUCTOR,
    "refused_key": NO_CONDUCTOR,
    "unreachable": NO_CONDUCTOR,
    "start_failed": NO_CONDUCTOR,
    "timeout": TIMED_OUT,
    "interrupted": INTERRUPTED,
}

BY_JOB_STATUS = {"completed": OK, "failed": FAILED, "cancelled": FAILED}


def for_error(code: str) -> int:
    """The exit code for an error code; an unknown one, from a newer conductor, is a failure."""
    return BY_ERROR.get(code, FAILED)

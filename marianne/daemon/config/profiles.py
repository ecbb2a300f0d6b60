"""Ready-made settings for the usual situations: ``--profile`` or ``MARIANNE_PROFILE``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

PROFILES: Mapping[str, Mapping[str, Any]] = {
    # To look closely at few jobs.
    "dev": {
        "log_level": "debug",
        "max_concurrent_jobs": 2,
        "profiler": {"interval_seconds": 2.0, "strace_enabled": True},
    },
    # Long jobs with large tools on a machine of their own. Documented with 100 processes, twice
    # the documented default; the default is 1,000 here, so it keeps the ratio.
    "intensive": {
        "job_timeout_seconds": 48 * 3600.0,
        "resource_limits": {"max_memory_mb": 16_384, "max_processes": 2000},
    },
    # As little as possible.
    "minimal": {
        "max_concurrent_jobs": 2,
        "profiler": {"enabled": False},
        "learning": {"enabled": False},
    },
}
"""The profiles by name, each as part of a configuration file."""

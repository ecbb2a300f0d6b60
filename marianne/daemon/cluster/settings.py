"""What is sent to a node so that a worker of a job can be made there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from marianne.daemon.config import DaemonConfig

ORPHAN_SECONDS = 1.0
"""How long a worker goes on whose warden died: no other takes it over."""

LOST_WITHIN = 8.0
"""Seconds after that death until all that it ran has ended, whatever the grace of sheets is."""


def worker_settings(
    config: DaemonConfig, options: Mapping[str, Any], job_id: str, job_dir: str, spool: str
) -> dict[str, Any]:
    """The settings of :mod:`marianne.run.worker`, but for those that are the warden's own.
    ``options`` are the job's."""
    return {
        "job_id": job_id,
        "job_dir": job_dir,
        "spool": spool,
        "orphan_grace_seconds": ORPHAN_SECONDS,
        "lost_within_seconds": LOST_WITHIN,
        "sheet_grace_seconds": config.sheet_grace_seconds,
        "output_limit_bytes": config.output_limit_mb * 2**20,
        "preflight": list(config.preflight.tokens),
        "fresh": bool(options.get("archives")),
        "anew": bool(options.get("fresh") or options.get("archives")),
    }

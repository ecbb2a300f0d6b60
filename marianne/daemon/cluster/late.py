"""Results of attempts that were told as lost before: kept as evidence, and not counted."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from marianne.daemon.cluster.station import Station
from marianne.daemon.context import Context
from marianne.daemon.shared.log import get_logger

log = get_logger(__name__)

FILE = "late-results.jsonl"


def keep(
    context: Context, job_id: str, station: Station, results: Iterable[dict[str, Any]]
) -> None:
    """Appends those of attempts that the station had lost to a file of the job, and logs them."""
    for result in results:
        key = result["num"], result["attempt"]
        if key not in station.late or result.get("category") == "lost":
            continue
        station.late.discard(key)
        log.warning(
            "late_result",
            job_id=job_id,
            sheet=key[0],
            attempt=key[1],
            node=station.node,
            outcome=result["outcome"],
        )
        try:
            with open(context.home.job_dir(job_id) / FILE, "a", encoding="utf-8") as file:
                file.write(json.dumps({**result, "node": station.node}) + "\n")
        except OSError as error:
            log.warning("late_result_not_kept", job_id=job_id, error=repr(error))

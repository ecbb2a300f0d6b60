"""What people are told of how long things took is the time in which something ran."""

from __future__ import annotations

import os
import signal
from datetime import datetime
from typing import Any

import pytest
from e2e_marianne import Marianne, until

AGAIN = """sheets:
  - name: again
    run: 'test -e tried || { touch tried; exit 1; }'
    retry: {max_retries: 1, base_delay_seconds: 2, jitter: false}
  - {name: held, needs: [again], run: 'until test -e go; do sleep 0.05; done'}
"""


def span(of: dict[str, Any]) -> float:
    begun, ended = map(datetime.fromisoformat, (of["started_at"], of["finished_at"]))
    return (ended - begun).total_seconds()


def test_the_time_between_a_failure_and_its_retry_is_no_work(mortal: Marianne) -> None:
    job = mortal.submit("again", AGAIN)
    until(lambda: mortal.sheet(job, 2)["status"] == "running")
    running = mortal.status(job)
    listed = next(one for one in mortal("list", "--json").json if one["job_id"] == job)
    for name in ("worked_seconds", "at_work_since"):
        assert running[name] == listed[name], "as it is on disk, whoever tells it"
    assert running["at_work_since"] is not None
    pid = mortal.pids()["conductor"]
    os.kill(pid, signal.SIGKILL)
    until(lambda: mortal.pids()["conductor"] != pid and mortal.serves())
    until(lambda: mortal.status(job)["at_work_since"] == running["at_work_since"])
    (mortal.place / "again" / "go").touch()
    ended = mortal.wait(job)
    attempts = mortal("history", job, "--json").json["records"]
    first = [one["duration_seconds"] for one in attempts if one["sheet"] == 1]
    assert len(first) == 2
    assert ended["sheets"][0]["worked_seconds"] == pytest.approx(sum(first), abs=1e-5)
    assert ended["at_work_since"] is None
    assert 0 < ended["worked_seconds"] <= span(ended) - 2

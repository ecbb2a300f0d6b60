"""A job that runs over its time fails, with the reason named; pauses and downtime do not count."""

from __future__ import annotations

import sqlite3

import msgpack
from e2e_marianne import Marianne, until

HELD = """sheets:
  - {name: a, run: 'touch up; setsid sleep 7763 & until test -e go; do sleep 0.02; done'}
  - {name: b, needs: [a], run: touch never}
"""


def _configure(marianne: Marianne, seconds: int) -> None:
    marianne.home.mkdir(mode=0o700, exist_ok=True)
    (marianne.home / "conductor.yaml").write_text(
        f"job_timeout_seconds: {seconds}\nsheet_grace_seconds: 0.5\n"
    )


def _options(marianne: Marianne, **new: float) -> dict[str, float]:
    """The job's notes, in which stands how long it has run; changed only while it is at rest."""
    with sqlite3.connect(marianne.home / "state.db") as database:
        row = database.execute("SELECT options FROM jobs").fetchone()
        options = msgpack.unpackb(row[0]) | new
        if new:
            database.execute("UPDATE jobs SET options = ?", (msgpack.packb(options),))
    database.close()
    return dict(options)


def test_a_job_that_has_run_too_long_fails_and_leaves_nothing(marianne: Marianne) -> None:
    _configure(marianne, 60)
    marianne.submit("held", HELD)
    until((marianne.place / "held" / "up").exists)
    marianne("stop")
    assert "ran_seconds" not in _options(marianne)
    _options(marianne, ran_seconds=59.5)
    marianne("start")
    status = marianne.wait("held", code=1)
    assert (status["status"], status["reason"]) == ("failed", "timeout")
    assert status["error"] == "ran for 60 s: longer than job_timeout_seconds (60)"
    assert [s["status"] for s in status["sheets"]] == ["cancelled", "cancelled"]
    assert not any("7763" in line for line in marianne.processes().values())
    assert "job_timeout_seconds" in marianne("diagnose", "held", "--json").json["cause"]
    # Who lets it go on gives it its whole time again.
    marianne("resume", "held")
    (marianne.place / "held" / "go").touch()
    assert marianne.wait("held")["status"] == "completed"

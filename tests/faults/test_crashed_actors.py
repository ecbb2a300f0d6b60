"""An actor that crashes does not touch running sheets, now or when a deadline has passed."""

from __future__ import annotations

from pathlib import Path

import pytest
from orphan_home import EVERY_KIND, Home, wait_for

from ipc.client import Client

pytestmark = [pytest.mark.slow, pytest.mark.e2e]

CLOCK = "(while :; do printf . >> clock; sleep 0.1; done) &"


@pytest.mark.parametrize("actor", ["job:nasty/worker", "jobs"])
def test_a_worker_that_a_new_actor_takes_over_is_asked_for_its_hello(
    actor: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(EVERY_KIND, "clock", (CLOCK, 1))
    # With this orphan grace a worker that was taken over has 1.5 s for its hello.
    home = Home(tmp_path, orphan_grace=1.0)
    home.env["MARIANNE_FAULTS"] = "1"
    try:
        home.run(["clock"])
        worker, clock = home.worker, home.workspace / "clock"
        with Client(home.path / "conductor.sock") as client:
            client.request("daemon.fault", {"name": actor, "now": True}, deadline=10.0)
        now = clock.stat().st_size
        wait_for(lambda: clock.stat().st_size > now + 25)
        assert home.worker == worker
        (home.workspace / "go").touch()
        assert home.ends("completed")["attempt"] == 1
    finally:
        home.close()

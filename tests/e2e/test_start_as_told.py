"""What `start` is given holds until the conductor is stopped: over a death, a restart, a reload."""

from __future__ import annotations

import os
import signal

from e2e_marianne import SLOTS, Marianne, until

from marianne.daemon.config import DaemonConfig


def in_force(own: Marianne) -> tuple[object, ...]:
    config = own("config", "show", "--json").json
    origin = own("config", "show", "--origin", "--json").json["origin"]
    names = ("max_concurrent_sheets", "max_concurrent_jobs", "log_level")
    return (*(config[name] for name in names), origin["max_concurrent_sheets"])


def test_config_profile_and_level_hold_over_a_death_a_restart_and_a_reload(own: Marianne) -> None:
    del own.env[SLOTS]
    file = own.place / "mine.yaml"
    file.write_text("max_concurrent_sheets: 7\n")
    own("start", "--config", "mine.yaml", "--profile", "dev", "--log-level", "warning")
    told = (7, 2, "warning", "file")
    assert in_force(own) == told
    assert "it goes on as it was started" in own("start", "--profile", "minimal").err
    old = own.pids()["conductor"]
    os.kill(old, signal.SIGKILL)
    until(lambda: own.pids()["conductor"] != old and own.serves(), 30.0)
    assert in_force(own) == told
    own("restart")
    assert in_force(own) == told
    file.write_text("max_concurrent_sheets: 8\n")
    own("reload")
    assert in_force(own) == (8, 2, "warning", "file")
    own("stop")
    own("start")
    assert in_force(own)[:3] == (DaemonConfig().max_concurrent_sheets, 15, "info")


def test_a_configuration_or_a_profile_that_is_not_there_starts_nothing(own: Marianne) -> None:
    assert "gone.yaml: cannot be read" in own("start", "--config", "gone.yaml", code=2).err
    assert "no profile 'fast'" in own("start", "--profile", "fast", code=2).err
    assert own.processes() == {}

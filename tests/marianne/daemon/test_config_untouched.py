"""Where nothing is set a conductor starts without the model, and nobody can tell."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from marianne.daemon.config import EveryDefault, changed, load_config, placed
from marianne.daemon.config.model import DaemonConfig
from marianne.daemon.config.untouched import Untouched, _Known
from marianne.home import Home

STARTS = """
import asyncio, json, os, sys
from marianne.daemon.boot.conductor import Given
from marianne.daemon.config import load_config
from marianne.daemon.process import DaemonProcess
from marianne.home import Home

home = Home(sys.argv[1])
home.prepare()
loaded = load_config(home)
process = DaemonProcess(loaded.config, home=home, given=Given(loaded))

def ready(context):
    print(json.dumps("pydantic" in sys.modules), flush=True)
    context.stop.ask("force")

process._ready = ready
from marianne.daemon.at_once import at_once
at_once(process.run())
sys.stdout.flush()
os._exit(process.exit_code)
"""


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


@pytest.fixture
def model(home: Home) -> DaemonConfig:
    return placed(DaemonConfig.model_construct(), home)


def test_what_boot_reads_is_what_the_model_says(home: Home, model: DaemonConfig) -> None:
    untouched = Untouched(home)
    for name, value in vars(untouched).items():
        wanted = getattr(model, name, value)
        if isinstance(value, _Known):
            own = {one: two for one, two in vars(value).items() if one != "_model"}
            assert own
            assert own == {one: getattr(wanted, one) for one in own}
        else:
            assert value == wanted, name
    assert untouched.supply == model.supply
    assert vars(untouched.at(home)) == vars(model.at(home))


def test_everything_else_is_the_models(home: Home, model: DaemonConfig) -> None:
    untouched = Untouched(home)
    assert untouched.resource_limits.model_dump() == model.resource_limits.model_dump()
    assert untouched.model_dump() == model.model_dump()
    assert untouched.state_db_path == home.db
    assert changed(untouched, model) == ([], [])  # type: ignore[arg-type]
    for wrong in ("no_such_setting", "__deepcopy__"):
        with pytest.raises(AttributeError, match=wrong):
            getattr(untouched, wrong)


def test_each_value_is_a_default(home: Home) -> None:
    origins = load_config(home).origins
    assert dict(origins) == dict.fromkeys(DaemonConfig.names(), "default")
    assert len(EveryDefault()) == len(origins) == len(dict(origins))
    assert origins.get("no_such_setting") is None


@pytest.mark.parametrize("variable", ["MARIANNE_MAX_CONCURRENT_JOBS", "MARIANNE_PROFILE"])
def test_one_variable_of_a_setting_is_enough_for_the_model(
    home: Home, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv("MARIANNE_HOME", str(home.path))
    assert isinstance(load_config(home).config, Untouched)
    monkeypatch.setenv(variable, "3" if variable.endswith("JOBS") else "dev")
    config = load_config(home).config
    assert type(config) is DaemonConfig
    assert config.max_concurrent_jobs == (3 if variable.endswith("JOBS") else 2)


@pytest.mark.slow
def test_a_conductor_is_ready_without_pydantic(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", STARTS, str(tmp_path / "home")],
        env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "false\n", done.stderr

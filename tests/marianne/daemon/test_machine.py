"""What the machine has is the least of what there is and what a container may use."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from marianne.daemon.config import DaemonConfig, machine
from marianne.daemon.processes.score_settings import score_settings
from marianne.score.supply import Supply


@pytest.fixture
def groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A tree of control groups; this process is in a/b."""
    own = tmp_path / "own"
    own.write_text("0::/a/b\n")
    place = tmp_path / "groups"
    (place / "a" / "b").mkdir(parents=True)
    monkeypatch.setattr(machine, "GROUPS", place)
    monkeypatch.setattr(machine, "OWN_GROUP", own)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)))
    return place


@pytest.mark.parametrize(
    ("above", "own", "found"),
    [
        ("max 100000", "max 100000", 8),
        ("max 100000", "250000 100000", 3),
        ("50000 100000", "400000 100000", 1),
        ("1600000 100000", "max 100000", 8),
        ("nonsense", "200000 0", 8),
    ],
)
def test_a_quota_of_any_group_above_bounds_the_processors(
    groups: Path, above: str, own: str, found: int
) -> None:
    (groups / "a" / "cpu.max").write_text(above + "\n")
    (groups / "a" / "b" / "cpu.max").write_text(own + "\n")
    assert machine.processors() == found


def test_without_groups_it_is_what_the_process_is_bound_to(groups: Path) -> None:
    assert machine.processors() == 8
    machine.OWN_GROUP.write_text("4:cpu:/old\n")
    assert machine.processors() == 8
    machine.OWN_GROUP.unlink()
    assert machine.processors() == 8


def test_memory_is_bounded_by_the_groups_above(groups: Path) -> None:
    whole = machine.memory_mb.__wrapped__()
    (groups / "a" / "memory.max").write_text("max\n")
    assert machine.memory_mb.__wrapped__() == whole
    (groups / "a" / "b" / "memory.max").write_text(f"{64 * 2**20}\n")
    assert machine.memory_mb.__wrapped__() == 64


def test_graphics_processors_are_counted_by_their_devices(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "DEVICES", tmp_path)
    for name in ("nvidia0", "nvidia1", "nvidiactl", "nvidia-uvm", "null"):
        (tmp_path / name).touch()
    assert machine.gpus.__wrapped__() == 2
    monkeypatch.setattr(machine, "DEVICES", tmp_path / "none")
    assert machine.gpus.__wrapped__() == 0


def test_the_supply_is_what_is_set_as_far_as_the_machine_has_it() -> None:
    config = DaemonConfig(gpus=3, labels=["ssd"], resource_limits={"max_memory_mb": 512})
    assert config.supply == (3, min(512, machine.memory_mb()), ("ssd",))
    assert DaemonConfig().supply[0] == machine.gpus()
    huge = DaemonConfig(resource_limits={"max_memory_mb": 2**40})
    assert huge.supply[1] == machine.memory_mb()


def test_what_a_configuration_says_is_what_a_score_is_read_by() -> None:
    given = {"gpus": 3, "labels": ["ssd"], "default_thinking_method": "twice"}
    config = DaemonConfig.model_validate(
        {**given, "preflight": {"token_warning_threshold": 8, "token_error_threshold": 9}}
    )
    said = score_settings(config, {"memory": "it has none"})
    assert said.supply == Supply(*config.supply)
    assert (said.prompts.error, said.thinking_method) == (9, "twice")
    assert (said.executors, said.staged, said.batch) == (("local",), (), ())
    assert said.keepers is not None
    assert said.keepers.missing == {"memory": "it has none"}

"""Starting a conductor in the background, and a private one for one client alone."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from marianne.daemon.boot import launch, private
from marianne.home import Home

# -- a private conductor ------------------------------------------------------------------------


@pytest.fixture
def base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(private, "_bases", lambda: [str(tmp_path)])
    for name in list(os.environ):
        if name.startswith("MARIANNE_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "none"))
    return tmp_path


def test_a_private_home_has_the_users_settings_and_instruments_and_none_of_its_places(
    base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    user = Home(base / "user")
    user.prepare()
    user.config_file.write_text("max_concurrent_sheets: 3\npid_file: /elsewhere/pid\n")
    monkeypatch.setenv("MARIANNE_MAX_CONCURRENT_JOBS", "4")
    home, tether = private.make_home(user)
    assert home.path.stat().st_mode & 0o777 == 0o700
    text = home.config_file.read_text()
    assert "max_concurrent_sheets" in text
    assert "max_concurrent_jobs" in text
    assert "elsewhere" not in text
    assert home.instruments.resolve() == user.instruments
    assert tether.pid == os.getpid()
    assert tether.environment["TMPDIR"] == str(home.path)
    assert "MARIANNE_MAX_CONCURRENT_JOBS" not in tether.environment, "it is in the file by now"
    assert private.remove_home(home)
    assert user.instruments.is_dir()


def test_without_any_setting_a_private_home_needs_no_configuration(base: Path) -> None:
    home, _ = private.make_home(Home(base / "nobody"))
    assert not home.config_file.exists()


def test_the_home_of_a_client_that_is_gone_is_swept_and_no_other(base: Path) -> None:
    mine, _ = private.make_home(Home(base / "nobody"))
    stale = base / f"{private.PREFIX}{2**30}-1-abc"
    names = ["²-1-x", "1-²-x", "a-b-c", "1", "-".join(["9" * 60] * 3), ""]
    others = [base / f"{private.PREFIX}{name}" for name in names]
    for path in (stale, *others):
        path.mkdir()
    private.sweep_stale()
    assert not stale.exists()
    assert mine.path.exists(), "its client lives"
    assert (base / f"{private.PREFIX}²-1-x").exists()


def test_a_private_home_that_somebody_holds_is_not_removed(held: Home) -> None:
    assert not private.remove_home(held)
    assert held.path.is_dir()


# -- starting one in the background -------------------------------------------------------------


def test_a_conductor_that_runs_is_named_and_no_second_one_is_started(held: Home) -> None:
    assert launch.start(held) == launch.LaunchResult(os.getpid(), already_running=True)
    assert launch.begin(held) is None


def in_the_place_of_a_heart(monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    def command(home: Home, lock: Any, ready: int, tether: Any = None) -> list[str]:
        return ["sh", "-c", script.format(ready=ready)]

    monkeypatch.setattr(launch, "heart_command", command)


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("echo first >&2; echo the port is taken >&2; exit 3", "the port is taken"),
        ("printf 'Traceback (x):\\n  File \"y\"\\nValueError: bad\\n' >&2; exit 3", "bad\n  (the"),
    ],
)
def test_a_start_that_fails_ends_with_the_last_words_and_the_exit_code(
    home: Home, monkeypatch: pytest.MonkeyPatch, script: str, words: str
) -> None:
    home.errors.write_text("of an earlier start\n")
    in_the_place_of_a_heart(monkeypatch, script)
    with pytest.raises(launch.LaunchError) as failed:
        launch.start(home)
    assert words in str(failed.value)
    assert "earlier" not in str(failed.value)
    assert failed.value.exit_code == 3
    lock = home.lock()
    assert lock is not None, "and the home is free for the next start"
    lock.release()


def test_the_file_of_last_words_is_emptied_when_it_is_long(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    home.errors.write_bytes(b"x" * (launch.ERROR_FILE_BYTES + 1))
    in_the_place_of_a_heart(monkeypatch, "echo why >&2; exit 1")
    with pytest.raises(launch.LaunchError, match="why"):
        launch.start(home)
    assert home.errors.read_bytes() == b"why\n"


def test_the_hearts_command_line_is_that_of_the_conductor_and_what_they_inherit(
    held: Home,
) -> None:
    lock = SimpleNamespace(fd=8, guard=9)
    tether = launch.Tether(5, 50, {"KEY": "s3cret"})
    command = launch.heart_command(held, lock, 7, tether)  # type: ignore[arg-type]
    conductors = launch.command(held)
    assert command[-len(conductors) - 2 :] == [*conductors, "--client", "5:50"]
    text = " ".join(command)
    assert "--lock-fd 8 --guard-fd 9 --ready-fd 7" in text
    assert "s3cret" not in text + repr(tether)

"""``marianne service``: the unit that systemd gets, and what it is told."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from marianne.cli.unit import Unit, place

SYSTEMCTL = """#!/bin/sh
echo "$@" >> "$0.said"
for word; do last=$word; done
case "$*" in
  *is-active*) cat "$0.active" 2>/dev/null || echo inactive;;
  *is-enabled*) echo enabled;;
esac
case "$*" in *"$(cat "$0.fails" 2>/dev/null || echo nothing)"*) echo no such bus >&2; exit 1;; esac
"""


@pytest.fixture
def systemctl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A stand-in that notes what it is asked for."""
    program = tmp_path / "bin" / "systemctl"
    program.parent.mkdir()
    program.write_text(SYSTEMCTL)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return program


def said(program: Path) -> list[str]:
    note = program.with_name("systemctl.said")
    return note.read_text().splitlines() if note.exists() else []


def test_installing_writes_the_unit_before_systemd_reads_it(marianne, home, systemctl) -> None:
    done = marianne("service", "install")
    assert done.code == 0, done
    file = place(True, home.path.parent / "config")
    assert f"ExecStart={Path(sys.executable).with_name('marianne')} start" in file.read_text()
    assert said(systemctl)[-3:] == [
        "--user daemon-reload",
        "--user enable marianne.service",
        "--user restart marianne.service",
    ]
    told = marianne("service", "status", "--json")
    assert (told.code, told.json["exists"], told.json["active"]) == (1, True, "inactive")
    systemctl.with_name("systemctl.active").write_text("active\n")
    assert marianne("service", "status").code == 0
    assert marianne("service", "uninstall").code == 0
    assert not file.exists()
    assert said(systemctl)[-2:] == [
        "--user disable --now marianne.service",
        "--user daemon-reload",
    ]
    assert marianne("service", "uninstall").code == 4


def test_a_conductor_that_runs_already_is_not_fought_with(marianne, conductor, systemctl) -> None:
    done = marianne("service", "install")
    assert done.code == 5
    assert "running already" in done.err
    assert "marianne stop" in done.err
    assert not any("enable" in line for line in said(systemctl))


def test_what_systemd_does_not_do_is_said_in_its_words(marianne, home, systemctl) -> None:
    systemctl.with_name("systemctl.fails").write_text("daemon-reload")
    done = marianne("service", "install")
    assert done.code == 1
    assert "systemctl daemon-reload: no such bus" in done.err
    assert "--print" in done.err


def test_without_systemd_the_unit_can_be_printed_and_nothing_else_is_done(
    marianne, home, monkeypatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    assert "[Service]" in marianne("service", "install", "--print").out
    done = marianne("service", "install")
    assert done.code == 75
    assert "there is no systemd here" in done.err
    told = marianne("service", "status")
    assert (told.code, "no systemctl here" in told.out) == (1, True)


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("/plain/path", "/plain/path"),
        ("/with space", '"/with space"'),
        ("/50%/$HOME", "/50%%/$$HOME"),
        ('/a"b\\c', '"/a\\"b\\\\c"'),
        ("/ünï", '"/ünï"'),
    ],
)
def test_a_word_is_not_expanded_by_systemd(text: str, word: str) -> None:
    unit = Unit([text, "start"], "default.target", 10.0)
    assert f"ExecStart={word} start" in unit.text().splitlines()


def test_a_path_that_no_line_can_hold_is_refused(marianne, home, monkeypatch) -> None:
    monkeypatch.setenv("MARIANNE_HOME", f"{home.path}\nExecStart=/bin/sh")
    done = marianne("service", "install", "--print")
    assert done.code == 2
    assert "cannot stand in a unit" in done.err


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="needs systemd-analyze (systemd)")
@pytest.mark.parametrize("level", ["--user", "--system"])
def test_systemd_finds_nothing_wrong_with_the_unit(marianne, home, tmp_path: Path, level) -> None:
    there = "/with space 50%"
    text = marianne("--home", f"{home.path}{there}", "service", "install", level, "--print").out
    file = tmp_path / "marianne.service"
    file.write_text(text)
    argv = ["systemd-analyze", "verify", "--man=no", level, str(file)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    ours = [line for line in done.stderr.splitlines() if "marianne.service" in line]
    assert ours == []


def test_a_user_is_named_where_the_manager_is_the_machines() -> None:
    unit = Unit(["/m"], "multi-user.target", 30.0, user="ada", variables={"MARIANNE_HOME": "/x y"})
    lines = unit.text().splitlines()
    assert "User=ada" in lines
    assert 'Environment="MARIANNE_HOME=/x y"' in lines
    assert "TimeoutStopSec=90" in lines
    assert place(False, Path("/never")) == Path("/etc/systemd/system/marianne.service")

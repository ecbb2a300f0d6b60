"""``marianne service install|uninstall|status``."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import click

from marianne.cli.errors import CliError
from marianne.cli.options import Verb, VerbGroup, json_option
from marianne.cli.render.out import note, print_json, say
from marianne.cli.session import Session
from marianne.cli.unit import Unit, place

NAME = "marianne.service"
ANSWER_SECONDS = 200.0
"""A start is waited for, which may take as long as the unit lets it."""

_level = click.option(
    "--user/--system",
    default=True,
    help="Whose service manager: yours, or the machine's.  [default: --user]",
)


@click.group("service", cls=VerbGroup)
def command() -> None:
    """Have systemd keep a conductor."""


@command.command("install", cls=Verb)
@_level
@click.option("--print", "only_print", is_flag=True, help="Print the unit and change nothing.")
@click.pass_obj
def install(session: Session, user: bool, only_print: bool) -> None:
    """Write a unit, and start it now and at each login (--system: at each boot).

    One that is there is replaced. The conductor has its heart: one that dies is replaced within a
    second, while running sheets go on.
    """
    text = _unit(session, user)
    if only_print:
        say(text.rstrip("\n"))
        return
    pid = session.holder()
    if pid is not None and _state(user) not in ("active", "reloading"):
        raise CliError("conflict", f"a conductor is running already (pid {pid})", "marianne stop")
    file = _place(user)
    _write(file, text)
    _systemctl(user, "daemon-reload")
    _systemctl(user, "enable", NAME)
    _systemctl(user, "restart", NAME)
    say(f"wrote {file}, started")
    if user:
        note("hint:  `loginctl enable-linger` keeps it running while you are not logged in")


@command.command("uninstall", cls=Verb)
@_level
def uninstall(user: bool) -> None:
    """Stop the service and remove its unit. Jobs stay as they are, in the home."""
    file = _place(user)
    if not file.exists():
        raise CliError("not_found", f"there is no {file}", "marianne service install")
    _systemctl(user, "disable", "--now", NAME)
    file.unlink(missing_ok=True)
    _systemctl(user, "daemon-reload")
    say(f"stopped, removed {file}")


@command.command("status", cls=Verb)
@_level
@json_option
def status(user: bool, as_json: bool) -> None:
    """Say whether the unit is there, enabled and active. Exit code 1 where it is not active."""
    file = _place(user)
    enabled = _state(user, "is-enabled") if file.exists() else "not-found"
    active = _state(user)
    if as_json:
        print_json(
            {"unit": str(file), "exists": file.exists(), "enabled": enabled, "active": active}
        )
    else:
        say(f"unit     {file}{'' if file.exists() else ' (there is none)'}")
        say(f"enabled  {enabled}")
        say(f"active   {active}")
    if active != "active":
        sys.exit(1)


def _unit(session: Session, user: bool) -> str:
    from marianne.daemon.config import load_config

    program = Path(sys.executable).with_name("marianne")
    given = {
        name: os.environ[name]
        for name in ("MARIANNE_HOME", "MARIANNE_CONFIG_FILE", "MARIANNE_PROFILE")
        if name in os.environ
    }
    if session.given_home is not None:
        given["MARIANNE_HOME"] = str(session.home.path)
    unit = Unit(
        argv=[str(program), "start", "--foreground", "--heart"],
        target="default.target" if user else "multi-user.target",
        grace=load_config(session.home).config.sheet_grace_seconds,
        user=None if user else os.environ.get("SUDO_USER"),
        variables=given,
    )
    try:
        return unit.text()
    except ValueError as error:
        raise CliError("usage", str(error), "set MARIANNE_HOME to a plain path") from None


def _place(user: bool) -> Path:
    home = os.environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")
    return place(user, Path(home))


def _write(file: Path, text: str) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        fresh = file.with_name(f".{file.name}.{os.getpid()}")
        fresh.write_text(text, encoding="utf-8")
        os.replace(fresh, file)
    except OSError as error:
        hint = "with --system: as root" if error.errno in (1, 13) else "look at it, then again"
        raise CliError("os_error", f"cannot write {file}: {error.strerror}", hint) from error


def _state(user: bool, question: str = "is-active") -> str:
    """A word of systemctl's; its exit code says the same."""
    if not shutil.which("systemctl"):
        return "unknown: no systemctl here"
    done = _run(user, question, NAME)
    return (done.stdout.strip() or done.stderr.strip() or "unknown").splitlines()[0]


def _systemctl(user: bool, *words: str) -> None:
    done = _run(user, *words)
    if done.returncode != 0:
        said = (done.stderr or done.stdout).strip() or f"exit code {done.returncode}"
        hint = "`marianne service install --print` shows the unit, for any other way to install it"
        raise CliError("os_error", f"systemctl {' '.join(words)}: {said}", hint)


def _run(user: bool, *words: str) -> subprocess.CompletedProcess[str]:
    argv = ["systemctl", *(["--user"] if user else []), *words]
    try:
        return subprocess.run(
            argv, capture_output=True, text=True, check=False, timeout=ANSWER_SECONDS
        )
    except FileNotFoundError:
        raise CliError(
            "unavailable",
            "there is no systemd here: no program `systemctl`",
            "`marianne service install --print` shows the unit; without systemd: marianne start",
        ) from None
    except subprocess.TimeoutExpired:
        raise CliError(
            "deadline", f"{' '.join(argv)} takes too long", "journalctl says why"
        ) from None

"""``marianne keys make|list|revoke``."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import TYPE_CHECKING

import click

from marianne.cli.errors import CliError
from marianne.cli.exit_codes import OK
from marianne.cli.options import VerbGroup, json_option
from marianne.cli.render.out import note, print_json, say
from marianne.cli.session import Session

if TYPE_CHECKING:
    from marianne.keys.store import Keys


@click.group("keys", cls=VerbGroup)
def command() -> None:
    """Let clients of other machines reach the conductor, each by a key of its own.

    The conductor listens where `listen` in conductor.yaml says. A client is told by its key file:
    marianne --connect FILE, or MARIANNE_CONNECT=FILE. Who has a key can run any program as you.
    """


@command.command("make")
@click.argument("name")
@click.option("--address", metavar="tcp://HOST:PORT", help="Where it reaches the conductor.")
@click.option("--out", metavar="FILE", help="The client's file (default: NAME.key).")
@click.pass_obj
def make(session: Session, name: str, address: str | None, out: str | None) -> int:
    """Make a key for a client: the file NAME.key, which is to be kept secret."""
    from marianne.keys.address import port_of
    from marianne.keys.store import KeysError

    file = Path(os.path.abspath(out or f"{name}.key"))
    try:
        where = address or _address(session)
        port_of(where)
        _keys(session).make(name, where, file)
    except (KeysError, ValueError) as error:
        raise CliError("usage", str(error)) from None
    say(str(file))
    note("take it to the client, by a way that nobody reads; there:")
    note(f"  marianne --connect {file.name} list")
    return OK


@command.command("list")
@json_option
@click.pass_obj
def list_(session: Session, as_json: bool) -> int:
    """List the clients that have a key."""
    names = list(_keys(session).clients())
    if as_json:
        print_json([{"name": name} for name in names])
    elif not names:
        note("no keys (make one with: marianne keys make NAME)")
    else:
        for name in names:
            say(name)
    return OK


@command.command("revoke")
@click.argument("name")
@click.pass_obj
def revoke(session: Session, name: str) -> int:
    """Let nobody in by this key any more, and end the connections that it has."""
    if not _keys(session).revoke(name):
        raise CliError("not_found", f"there is no key {name!r}", "marianne keys list")
    if session.running():
        session.request("daemon.keys")
    say(f"{name}: revoked")
    return OK


def _keys(session: Session) -> Keys:
    from marianne.keys.store import Keys

    return Keys(session.home.path)


def _address(session: Session) -> str:
    """Where the configuration has the conductor listen, as others see it."""
    from marianne.daemon.config import ConfigError, load_config

    try:
        listen = load_config(session.home).config.listen
    except ConfigError as error:
        raise CliError("invalid_config", str(error)) from None
    if listen is None:
        raise CliError(
            "usage",
            "where does the client reach the conductor?",
            "--address tcp://HOST:PORT, or set listen in conductor.yaml",
        )
    host = listen.removeprefix("tcp://").rpartition(":")[0]
    everywhere = host in ("*", "0.0.0.0", "[::]")
    return str(listen.replace(host, socket.gethostname(), 1) if everywhere else listen)

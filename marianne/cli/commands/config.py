"""``marianne config show``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import click

from marianne.cli.errors import CliError
from marianne.cli.options import Verb, VerbGroup, json_option
from marianne.cli.render.facts import text_of
from marianne.cli.render.out import note, print_json
from marianne.cli.render.table import Cell, print_table
from marianne.cli.session import Session


@click.group("config", cls=VerbGroup)
def command() -> None:
    """Show the configuration and where each value comes from."""


@command.command("show", cls=Verb)
@click.option("--origin", is_flag=True, help="Say where each value comes from.")
@json_option
@click.pass_obj
def show(session: Session, origin: bool, as_json: bool) -> None:
    """Show the configuration in force.

    Of the running conductor; when none runs, what one would start with. A value comes from a flag,
    the environment, the config file or is the default, in this order.
    """
    answer = session.request("daemon.config") if session.running() else _would_be(session)
    if as_json:
        print_json(answer if origin else answer["config"])
        return
    origins = answer["origin"]
    rows = [
        (name, text_of(value), _origin(origins.get(name, "default")) if origin else Cell(""))
        for name, value in _flat(answer["config"])
    ]
    print_table(("NAME", "VALUE", "FROM"), rows)
    if not session.running():
        note("(no conductor runs: this is what one would start with)")


def _would_be(session: Session) -> dict[str, Any]:
    from marianne.daemon.config import ConfigError, load_config

    try:
        loaded = load_config(session.home)
    except ConfigError as error:
        raise CliError("invalid_config", str(error)) from None
    return {"config": loaded.config.model_dump(mode="json"), "origin": dict(loaded.origins)}


def _origin(word: str) -> Cell:
    return Cell(word, ("dim",) if word == "default" else ("cyan",))


def _flat(config: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Every value by its dotted name."""
    for key, value in config.items():
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value

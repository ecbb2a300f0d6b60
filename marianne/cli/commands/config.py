"""``marianne config show|check|path|init|set``."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from marianne.cli.errors import CliError
from marianne.cli.options import Verb, VerbGroup, json_option
from marianne.cli.render.facts import text_of
from marianne.cli.render.out import note, print_json, say
from marianne.cli.render.problems import print_warnings
from marianne.cli.render.table import Cell, print_table
from marianne.cli.session import Session

if TYPE_CHECKING:
    from marianne.daemon.config import Loaded

T = TypeVar("T")


@click.group("config", cls=VerbGroup)
def command() -> None:
    """Show the configuration and where each value comes from."""


@command.command("show", cls=Verb)
@click.option("--origin", is_flag=True, help="Say where each value comes from.")
@click.option("--reveal", is_flag=True, help="Show addresses and headers that are secrets, too.")
@json_option
@click.pass_obj
def show(session: Session, origin: bool, reveal: bool, as_json: bool) -> None:
    """Show the configuration in force.

    Of the running conductor; when none runs, what one would start with. A value comes from a flag,
    the environment, the config file or is the default, in this order. What is set and has no effect
    is named. What lets in whoever knows it is not shown: addresses of notices, headers.
    """
    running = session.running()
    answer = (
        session.request("daemon.config", {"reveal": reveal})
        if running
        else _would_be(session, reveal)
    )
    _warn(session, answer["config"].get("config_file"))
    if as_json:
        print_json(answer if origin else answer["config"])
        return
    origins = answer["origin"]
    rows = [
        (name, text_of(value), _origin(origins.get(name, "default")) if origin else Cell(""))
        for name, value in _flat(answer["config"])
    ]
    print_table(("NAME", "VALUE", "FROM"), rows, names=(0, 1))
    if not running:
        note("(no conductor runs: this is what one would start with)")


@command.command("check")
@click.argument("file", required=False, type=click.Path(path_type=Path))
@json_option
@click.pass_obj
def check(session: Session, file: Path | None, as_json: bool) -> None:
    """Check a configuration without using it.

    FILE is the one that a conductor of this home would read, unless it is given. Exit code 2 when
    something does not fit.
    """
    loaded = _load(session, file)
    if as_json:
        print_json({"valid": True, "warnings": loaded.notes})
    else:
        print_warnings(loaded.notes)
        say("valid")


@command.command("path")
@json_option
@click.pass_obj
def path(session: Session, as_json: bool) -> None:
    """Print which file a conductor of this home reads.

    Where there is none: where one would be looked for first.
    """
    from marianne.cli.config_file import place

    file = place(session.home)
    if as_json:
        print_json({"path": str(file), "exists": file.exists()})
        return
    say(str(file))
    if not file.exists():
        note("(there is none: marianne config init writes one)")


@command.command("init")
@click.option("--force", "-f", is_flag=True, help="Replace a file that is there.")
@click.pass_obj
def init(session: Session, force: bool) -> None:
    """Write a configuration with every setting, its default and its meaning.

    All of it is commented out, so that nothing changes.
    """
    from marianne.cli.config_file import place, starter, write

    file = place(session.home)
    write(file, starter(), new=not force)
    say(f"wrote {file}")


@command.command("set")
@click.argument("name")
@click.argument("value")
@click.pass_obj
def set_(session: Session, name: str, value: str) -> None:
    """Write one setting into the configuration, by its dotted name.

    The rest of the file stays as it is. What does not fit is refused and changes nothing.
    """
    from marianne.cli.config_file import alone, changed, place, write

    file = place(session.home)
    with alone(file):
        text = _fitting(lambda: changed(session.home, file, name, value))
        write(file, text, new=False)
    say(f"wrote {name} to {file}")
    print_warnings(_load(session, file).notes)
    if session.running():
        note("marianne reload applies it, or says that it needs a restart")


def _warn(session: Session, file: str | None) -> None:
    """Names what is set without effect; a file that does not fit (any more) is ``check``'s."""
    from marianne.daemon.config import ConfigError, load_config

    try:
        print_warnings(load_config(session.home, Path(file) if file else None).notes)
    except ConfigError as error:
        note(f"(the file has changed and does not fit: {error.problems[0].render()})")


def _would_be(session: Session, reveal: bool) -> dict[str, Any]:
    from marianne.daemon.config.secret import masked

    loaded = _load(session, None)
    config = loaded.config.model_dump(mode="json")
    return {"config": config if reveal else masked(config), "origin": dict(loaded.origins)}


def _load(session: Session, file: Path | None) -> Loaded:
    from marianne.daemon.config import load_config

    return _fitting(lambda: load_config(session.home, file))


def _fitting(read: Callable[[], T]) -> T:
    """What ``read`` returns; a configuration that does not fit as an error with its problems."""
    from marianne.daemon.config import ConfigError

    try:
        return read()
    except ConfigError as error:
        problems = [problem.to_map() for problem in error.problems]
        message = "the configuration does not fit:"
        raise CliError("invalid_config", message, data={"problems": problems}) from None


def _origin(word: str) -> Cell:
    return Cell(word, ("dim",) if word == "default" else ("cyan",))


def _flat(config: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Every value by its dotted name."""
    for key, value in config.items():
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value

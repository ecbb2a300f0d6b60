"""``marianne doctor``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import click

from marianne.cli.errors import CliError
from marianne.cli.exit_codes import FAILED, OK
from marianne.cli.options import Verb, json_option
from marianne.cli.render.out import clean, print_json
from marianne.cli.session import Session


class Finding(NamedTuple):
    """What one look found. ``well`` None: nothing to judge."""

    what: str
    well: bool | None
    words: str


@click.command("doctor", cls=Verb)
@json_option
@click.pass_obj
def command(session: Session, as_json: bool) -> int:
    """Look whether all is well with this installation and home.

    The home, its configuration, the conductor if one runs, which instruments can play here, and
    which walls a sandbox can have, or why not.
    Changes nothing and starts nothing. Exit code 1 when something needs a hand.
    """
    found = [finding for look in LOOKS for finding in _looked(look, session)]
    if as_json:
        print_json([finding._asdict() for finding in found])
    else:
        from marianne.cli.render.table import Cell, print_table

        words = {True: Cell("well", ("green",)), False: Cell("look", ("red",)), None: Cell("-")}
        print_table(
            ("WHAT", "", "FOUND"),
            [(finding.what, words[finding.well], clean(finding.words)) for finding in found],
            wrap=True,
        )
    return FAILED if any(finding.well is False for finding in found) else OK


def _looked(look: Callable[[Session], Iterator[Finding]], session: Session) -> list[Finding]:
    """What the look found; one that cannot be made is a finding."""
    what = look.__name__.strip("_").replace("_", " ")
    try:
        return list(look(session))
    except CliError as error:
        return [Finding(what, False, error.message)]
    except OSError as error:
        return [Finding(what, False, f"{error.strerror}: {error.filename}")]


def _home(session: Session) -> Iterator[Finding]:
    from marianne.home import HomeError

    path = session.home.path
    try:
        session.running()
    except HomeError as error:
        yield Finding("home", False, str(error))
    else:
        yield Finding("home", True, str(path) if path.is_dir() else f"{path} (not made yet)")


def _configuration(session: Session) -> Iterator[Finding]:
    from marianne.daemon.config import ConfigError, load_config

    try:
        loaded = load_config(session.home)
    except ConfigError as error:
        for problem in error.problems:
            yield Finding("configuration", False, problem.render())
        return
    file = loaded.config.config_file
    yield Finding("configuration", True, str(file) if file else "none: all defaults")
    for note in loaded.notes:
        yield Finding("configuration", None, note)


def _conductor(session: Session) -> Iterator[Finding]:
    if not session.running():
        yield Finding("conductor", None, "none runs; marianne run and marianne start start one")
        return
    health = session.request("daemon.health")
    well = health["status"] == "ok"
    yield Finding("conductor", well, f"pid {session.holder()}, health {health['status']}")
    ready = session.request("daemon.ready")
    takes_work = ready["status"] == "ready"
    words = "takes work" if takes_work else "takes no work now: marianne ready says why"
    yield Finding("conductor", takes_work, words)


def _instruments(session: Session) -> Iterator[Finding]:
    from marianne.instruments.registry import Registry, why_unavailable

    registry = Registry.load(session.home.instruments, ".marianne/instruments")
    for problem in registry.problems:
        yield Finding("instrument", False, problem.render())
    for name in sorted(registry.entries):
        entry = registry.entries[name]
        why = why_unavailable(entry.profile)
        yield Finding(f"instrument {name}", None if why else True, why or "can play here")
        for remark in entry.remarks:
            yield Finding(f"instrument {name}", None, remark.render())


def _walls(session: Session) -> Iterator[Finding]:
    """What a score's ``sandbox:`` and ``limits:`` can be kept with here; where it is not, that is
    no fault."""
    from marianne.cli.preflight import groups_of
    from marianne.walls.offers import as_list, looked_for

    for offer in as_list(looked_for()):
        yield Finding(f"sandbox: {offer.name}", True if offer.there else None, offer.words)
    groups = groups_of(session.home)
    yield Finding(groups.name, True if groups.there else None, groups.words)
    for why in dict.fromkeys(groups.missing.values()) if groups.there else ():
        names = ", ".join(name for name, reason in groups.missing.items() if reason == why)
        yield Finding(groups.name, None, f"no limits by {names}: {why}")


LOOKS = (_home, _configuration, _conductor, _instruments, _walls)

"""``marianne instruments list|show|check``."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

import click

from marianne.cli.completing import complete_instrument
from marianne.cli.exit_codes import FAILED, OK
from marianne.cli.options import VerbGroup, json_option
from marianne.cli.profiles import profile_of, registry_of
from marianne.cli.render.out import print_json, say
from marianne.cli.session import Session

if TYPE_CHECKING:
    from marianne.instruments.registry import Registry


@click.group("instruments", cls=VerbGroup)
def command() -> None:
    """Show the programs that sheets can use.

    Built-in ones, yours in the home's directory instruments/, and those in .marianne/instruments
    here. No conductor is needed.
    """


@command.command("list")
@json_option
@click.pass_obj
def list_(session: Session, as_json: bool) -> None:
    """List all instruments and whether they can play here."""
    registry = registry_of(session)
    rows = [_row(registry, name) for name in sorted(registry.entries)]
    if as_json:
        print_json(rows)
        return
    from marianne.cli.render.problems import print_warnings
    from marianne.cli.render.table import Cell, print_table

    print_warnings([problem.render() for problem in registry.problems])
    for row in rows:
        _warn(row)
    print_table(
        ("NAME", "HERE", "AT ONCE", "DESCRIPTION"),
        [
            (
                Cell(row["name"], ("bold",)),
                Cell("no", ("yellow",)) if row["unavailable"] else Cell("yes", ("green",)),
                row["max_concurrent"] or "any",
                row["unavailable"] or row["description"] or row["display_name"],
            )
            for row in rows
        ],
    )


@command.command("show")
@click.argument("name", shell_complete=complete_instrument)
@json_option
@click.pass_obj
def show(session: Session, name: str, as_json: bool) -> None:
    """Show the profile of one instrument, with every default."""
    registry = registry_of(session)
    profile = profile_of(registry, name)
    row = _row(registry, profile.name)
    if as_json:
        print_json({**row, "profile": profile.model_dump(mode="json")})
        return
    import yaml

    _warn(row)
    say(f"# {row['source']}")
    if row["unavailable"]:
        say(f"# cannot play here: {row['unavailable']}")
    say(
        yaml.safe_dump(
            profile.model_dump(mode="json"), sort_keys=False, allow_unicode=True
        ).rstrip()
    )


@command.command("check")
@click.argument("name", shell_complete=complete_instrument)
@json_option
@click.pass_obj
def check(session: Session, name: str, as_json: bool) -> int:
    """Say whether an instrument can play here, and the command it would run.

    Starts nothing. Exit code 1 when it cannot.
    """
    from dataclasses import asdict

    from marianne.cli.render.facts import print_facts
    from marianne.instruments.probe import probe

    registry = registry_of(session)
    profile = profile_of(registry, name)
    row, found = _row(registry, profile.name), probe(profile)
    if as_json:
        print_json({**asdict(found), "warnings": row["warnings"]})
    else:
        _warn(row)
        print_facts({**asdict(found), "command": " ".join(map(shlex.quote, found.command))})
    return OK if found.available else FAILED


def _warn(row: dict[str, Any]) -> None:
    from marianne.cli.render.problems import print_warnings

    print_warnings(row["warnings"])


def _row(registry: Registry, name: str) -> dict[str, Any]:
    from marianne.instruments.registry import why_unavailable

    entry = registry.entries[name]
    profile = entry.profile
    return {
        "name": name,
        "display_name": profile.display_name,
        "description": profile.description,
        "aliases": profile.aliases,
        "kind": profile.kind,
        "max_concurrent": profile.max_concurrent,
        "models": [model.name for model in profile.models],
        "unavailable": why_unavailable(profile),
        "source": entry.source,
        "warnings": [remark.render() for remark in entry.remarks],
    }

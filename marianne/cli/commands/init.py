"""``marianne init [NAME]``."""

from __future__ import annotations

import re
from pathlib import Path

import click

from marianne.cli.errors import CliError
from marianne.cli.options import Verb
from marianne.cli.render.out import note, say
from marianne.score.starter import starter_score


@click.command("init", cls=Verb)
@click.argument("name", default="hello")
@click.option("--force", is_flag=True, help="Replace a file that is there.")
def command(name: str, force: bool) -> None:
    """Write a small score to begin with.

    Writes NAME.yaml into the present directory.
    """
    name = name.removesuffix(".yaml").removesuffix(".yml")
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}", name):
        raise click.UsageError(f"{name!r} cannot be a job's name: letters, digits, - and _ only")
    path = Path(f"{name}.yaml")
    try:
        with path.open("w" if force else "x", encoding="utf-8") as file:
            file.write(starter_score(name))
    except FileExistsError:
        raise CliError("conflict", f"{path} is there already", "--force replaces it") from None
    say(f"wrote {path}")
    note(f"run it with: marianne run {path} --follow")

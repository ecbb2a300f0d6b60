"""``marianne schema score|config|instrument``."""

from __future__ import annotations

from typing import Any

import click

from marianne.cli.options import Verb
from marianne.cli.render.out import print_json


@click.command("schema", cls=Verb)
@click.argument("what", type=click.Choice(["score", "config", "instrument"]))
@click.option("--json", "as_json", is_flag=True, help="The same: a schema is JSON.")
def command(what: str, as_json: bool) -> None:
    """Print the JSON schema of scores, configs or instruments.

    Editors complete and check a YAML file with it.
    """
    print_json(schema_of(what))


def schema_of(what: str) -> dict[str, Any]:
    """The schema of a score, a config or an instrument."""
    from marianne.score import schema

    if what == "score":
        return schema.score_schema()
    if what == "instrument":
        return schema.instrument_schema()
    from marianne.daemon.config import DaemonConfig

    return {"$schema": schema.DIALECT, **DaemonConfig.model_json_schema()}

"""``marianne schema score|config|instrument``."""

from __future__ import annotations

from typing import Any

import click

from marianne.cli.options import Verb
from marianne.cli.render.out import print_json

DIALECT = "https://json-schema.org/draft/2020-12/schema"


@click.command("schema", cls=Verb)
@click.argument("what", type=click.Choice(["score", "config", "instrument"]))
@click.option("--json", "as_json", is_flag=True, help="The same: a schema is JSON.")
def command(what: str, as_json: bool) -> None:
    """Print the JSON schema of scores, configs or instruments.

    Editors complete and check a YAML file with it.
    """
    print_json({"$schema": DIALECT, **_schema(what)})


def _schema(what: str) -> dict[str, Any]:
    if what == "config":
        from marianne.daemon.config import DaemonConfig

        return DaemonConfig.model_json_schema()
    if what == "instrument":
        from marianne.instruments.profile import Profile

        return Profile.model_json_schema()
    from pydantic import TypeAdapter

    from marianne.score.models_reference import ReferenceScore
    from marianne.score.models_short import ShortScore

    schema = TypeAdapter(ShortScore | ReferenceScore).json_schema()
    return {
        "title": "Score",
        "description": "A job: in the short or the reference's form",
        **schema,
    }

"""``--var NAME=VALUE``."""

from __future__ import annotations

import click

var_option = click.option(
    "--var", "variables", multiple=True, metavar="K=V", help="Set a variable (a text)."
)


def parse_variables(given: tuple[str, ...]) -> dict[str, str]:
    """The variables by name. Values stay texts: ``1.10`` is a version as often as a number."""
    variables = {}
    for pair in given:
        name, equals, value = pair.partition("=")
        if not equals or not name.isidentifier():
            raise click.UsageError(f"--var {pair!r} is not NAME=VALUE")
        variables[name] = value
    return variables

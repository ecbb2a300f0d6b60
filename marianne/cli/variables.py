"""``--var NAME=VALUE`` and ``--param-file FILE``."""

from __future__ import annotations

import click

from marianne.cli.completing import complete_file

var_option = click.option(
    "--var", "variables", multiple=True, metavar="K=V", help="Set a variable (a text)."
)
param_file_option = click.option(
    "--param-file",
    "param_files",
    multiple=True,
    metavar="FILE",
    shell_complete=complete_file,
    help="Set variables from a map in YAML or JSON; --var wins.",
)


def parse_variables(given: tuple[str, ...], files: tuple[str, ...] = ()) -> dict[str, str]:
    """The variables by name. Values stay texts: ``1.10`` is a version as often as a number."""
    variables = {}
    for path in files:
        from marianne.cli.param_file import read_param_file

        variables.update(read_param_file(path))
    for pair in given:
        name, equals, value = pair.partition("=")
        if not equals or not name.isidentifier():
            raise click.UsageError(f"--var {pair!r} is not NAME=VALUE")
        variables[name] = value
    return variables

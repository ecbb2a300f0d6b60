"""``marianne completion SHELL``."""

from __future__ import annotations

import click

from marianne.cli.options import Verb

SHELLS = ("bash", "zsh", "fish")


@click.command("completion", cls=Verb)
@click.argument("shell", type=click.Choice(SHELLS))
def command(shell: str) -> None:
    """Print a completion script for your shell.

    For bash, put into ~/.bashrc: eval "$(marianne completion bash)"
    """
    from click.shell_completion import get_completion_class

    from marianne.cli.program import COMPLETION_VARIABLE, cli

    complete = get_completion_class(shell)
    assert complete is not None
    # The text alone: checking the installed bash's version, as click does, would run it.
    script = complete(cli, {}, "marianne", COMPLETION_VARIABLE)
    click.echo(script.source_template % script.source_vars())

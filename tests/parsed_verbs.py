"""The words of a command line, read as the program reads them."""

from __future__ import annotations

import click

from marianne.cli.program import cli


def parse(words: list[str]) -> None:
    """Parses a command down to its last verb, and runs nothing. Raises UsageError."""
    command: click.Command = cli
    context = None
    while True:
        try:
            context = command.make_context(command.name or "marianne", words, parent=context)
        except click.exceptions.Exit:  # of --version
            return
        if not isinstance(command, click.Group):
            return
        name, below, words = command.resolve_command(
            context, [*context._protected_args, *context.args]
        )
        assert below is not None, name
        command = below

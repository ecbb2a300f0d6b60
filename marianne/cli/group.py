"""The root command: it knows the verbs by name and imports only the one that runs."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import click

from marianne.cli.errors import CliError
from marianne.cli.verbs import SECTIONS, VERBS, module_of


class ReaderLeft(Exception):  # noqa: N818 - nothing has gone wrong
    """Who read our output has closed it: nobody is left to say anything to."""


class LazyGroup(click.Group):
    """A group whose subcommands are imported when they are asked for: start time is a feature."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All verbs, without importing one."""
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The verb's command, or None when there is no such verb."""
        if cmd_name not in VERBS:
            return None
        command = import_module(module_of(cmd_name)).command
        assert isinstance(command, click.Command)
        return command

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """As click does it; of what it refuses, what it is called here."""
        given = list(args)
        try:
            return super().parse_args(ctx, args)
        except click.UsageError as error:
            from marianne.cli.elsewhere import explained

            raise explained(error, None, given) from None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does it, with a guess at what a mistyped verb was to be."""
        name = args[0]
        if name in VERBS or ctx.resilient_parsing or name.startswith("-"):
            return super().resolve_command(ctx, args)
        from difflib import get_close_matches

        from marianne.cli import elsewhere

        instead = elsewhere.of_verb(name)
        if instead is not None:
            raise click.UsageError(f"there is no verb {name!r}: {instead}", ctx)
        begun = [verb for verb in VERBS if verb.startswith(name)]
        near = begun or get_close_matches(name, VERBS, n=1)
        guess = f" Did you mean {near[0]!r}?" if near else ""
        raise click.UsageError(f"there is no verb {name!r}.{guess}", ctx)

    def invoke(self, ctx: click.Context) -> Any:
        """Runs the verb. Says in our words what click would answer with codes of its own."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            raise CliError("interrupted", "interrupted") from None
        except BrokenPipeError:
            raise ReaderLeft from None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The verbs by section, from the table of names."""
        for title, verbs in SECTIONS.items():
            with formatter.section(title):
                formatter.write_dl(list(verbs.items()))

"""Options that many verbs share, and the command class that gives every verb ``--home``."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from marianne.cli.completing import complete_directory, complete_file, complete_group
from marianne.cli.session import Session

F = TypeVar("F", bound=Callable[..., Any])

_UNITS = {"": 1.0, "ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


if TYPE_CHECKING:
    FloatType = click.ParamType[float]
else:
    FloatType = click.ParamType  # generic for type checkers only, before click 8.5


class Seconds(FloatType):
    """A length of time: a number of seconds, or a number with ms, s, m, h or d."""

    name = "duration"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Reads ``90``, ``1.5h`` or ``200ms`` as seconds."""
        if isinstance(value, float):
            return value
        match = re.fullmatch(r"(\d+(?:\.\d+)?)(ms|s|m|h|d|)", str(value).strip())
        if match is None:
            self.fail(f"{value!r} is not a duration such as 30, 10s, 5m, 2h or 7d", param, ctx)
        return float(match[1]) * _UNITS[match[2]]


def _set_home(ctx: click.Context, _param: click.Parameter, value: str | None) -> None:
    session = ctx.find_object(Session)
    if value is not None and session is not None:
        session.use_home(value)


def _set_key(ctx: click.Context, _param: click.Parameter, value: str | None) -> None:
    session = ctx.find_object(Session)
    if value is not None and session is not None:
        session.use_key(value)


def connect_option() -> click.Option:
    """``--connect``, accepted before the verb."""
    return click.Option(
        ["--connect"],
        metavar="FILE",
        expose_value=False,
        shell_complete=complete_file,
        callback=_set_key,
        help="The key of a conductor on another machine (default: $MARIANNE_CONNECT).",
    )


def home_option() -> click.Option:
    """``--home``, accepted before and after the verb."""
    return click.Option(
        ["--home"],
        metavar="DIR",
        expose_value=False,
        shell_complete=complete_directory,
        callback=_set_home,
        help="The conductor's directory (default: $MARIANNE_HOME or the user's state directory).",
    )


class Verb(click.Command):
    """A command of ours: takes ``--home`` beside its own options."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.params.append(home_option())

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """As click does it; of what it refuses, what it is called here."""
        given = list(args)
        try:
            return super().parse_args(ctx, args)
        except click.UsageError as error:
            from marianne.cli.elsewhere import explained

            raise explained(error, self.name, given) from None


class VerbGroup(click.Group):
    """A verb with verbs below it, such as ``config show``."""

    command_class = Verb


def file_option(words: str) -> Callable[[F], F]:
    """``--config FILE``; ``words`` say what the file is to the verb."""
    return click.option(
        "--config", "-c", "file", metavar="FILE", shell_complete=complete_file, help=words
    )


def _errors_too(ctx: click.Context, _param: click.Parameter, wanted: bool) -> bool:
    if wanted and ctx.obj is not None:
        ctx.obj.as_json = True
    return wanted


json_option = click.option(
    "--json",
    "-j",
    "as_json",
    is_flag=True,
    callback=_errors_too,
    help="Print JSON on standard output, errors too.",
)
workspace_option = click.option(
    "--workspace",
    metavar="DIR",
    shell_complete=complete_directory,
    help="Where the sheets work, not what the score says.",
)
priority_option = click.option(
    "--priority", type=click.IntRange(1, 10), default=5, show_default=True, help="1 goes first."
)
group_option = click.option(
    "--group",
    metavar="GROUP",
    shell_complete=complete_group,
    help="Put it into this group of jobs.",
)
fresh_option = click.option(
    "--fresh", is_flag=True, help="Archive the workspace first, if the score wants it."
)
exact_option = click.option(
    "--exact", is_flag=True, help="The job with this very id, not the newest of its score."
)
no_start_option = click.option("--no-start", is_flag=True, help="Fail when no conductor runs.")
yes_option = click.option("--yes", "-y", is_flag=True, help="Do not ask.")
timeout_option = click.option(
    "--timeout",
    type=Seconds(),
    metavar="TIME",
    help="Give up waiting after this time (exit code 124); what was asked for goes on.",
)
output_option = click.option(
    "--output",
    is_flag=True,
    help="Follow it, with what all running sheets print, each line behind its sheet's name.",
)

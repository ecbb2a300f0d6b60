"""What ``marianne`` does: parses, runs one verb, turns errors into exit codes."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence

import click

from marianne.cli import exit_codes
from marianne.cli.errors import CliError, unexpected
from marianne.cli.group import LazyGroup, ReaderLeft
from marianne.cli.options import connect_option, home_option
from marianne.cli.session import Session
from marianne.streams import say_now

COMPLETION_VARIABLE = "_MARIANNE_COMPLETE"

_SHORT = re.compile(r"-[A-Za-z]*j")
"""``--json`` in short, among other flags."""


def _print_version(ctx: click.Context, _param: click.Parameter, wanted: bool) -> None:
    if wanted and not ctx.resilient_parsing:
        from marianne.version import version

        click.echo(f"marianne {version()}")
        ctx.exit()


@click.command(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--version",
    "-V",
    is_flag=True,
    expose_value=False,
    is_eager=True,
    callback=_print_version,
    help="Print the version.",
)
def cli() -> None:
    """Runs jobs made of command-line steps: scores of sheets, played under a conductor.

    Begin with: marianne init, then: marianne run hello.yaml --follow
    """


cli.params += [home_option(), connect_option()]


def run(argv: Sequence[str], session: Session | None = None) -> int:
    """Runs the program with these arguments and returns its exit code; never raises.

    With ``--json`` among the arguments an error is one JSON object on standard output, else (and
    when it was Ctrl-C) a message on standard error. ``session`` stays open, for whoever gives one
    to close.
    """
    session = session or Session()
    try:
        # Outside standalone mode click gives ctx.exit()'s code, else what the verb returned.
        result = cli.main(
            list(argv),
            prog_name="marianne",
            complete_var=COMPLETION_VARIABLE,
            standalone_mode=False,
            obj=session,
        )
    except CliError as error:
        return _fail(error, session.as_json)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)  # who typed no verb wants to see them
        return exit_codes.USAGE
    except click.UsageError as error:
        as_json = session.as_json or _wants_json(argv)
        where = error.ctx.command_path if error.ctx else "marianne"
        return _fail(CliError("usage", error.format_message(), f"{where} --help"), as_json)
    except click.ClickException as error:
        return _fail(CliError("usage", error.format_message()), session.as_json)
    except (click.Abort, KeyboardInterrupt):
        return _fail(CliError("interrupted", "interrupted"), session.as_json)
    except (ReaderLeft, BrokenPipeError):
        return exit_codes.BROKEN_PIPE
    except SystemExit as leaving:  # click's shell completion
        return leaving.code if isinstance(leaving.code, int) else exit_codes.OK
    except Exception as error:  # noqa: BLE001 - a user never sees a traceback
        return _fail(unexpected(error), session.as_json)
    return result if isinstance(result, int) else exit_codes.OK


def _wants_json(argv: Sequence[str]) -> bool:
    """Whether ``--json`` is among arguments that could not be read."""
    own = itertools.takewhile(lambda word: word != "--", argv)
    return any(word == "--json" or _SHORT.fullmatch(word) for word in own)


def _fail(error: CliError, as_json: bool) -> int:
    from marianne.cli.render.out import print_json
    from marianne.cli.render.problems import print_error

    try:
        # Who pressed Ctrl-C knows, who reads on does not; but the job is theirs to know.
        if as_json and (error.code != "interrupted" or error.waited_for):
            print_json(error.to_map(), stream=True)  # a line, for it may end a stream of lines
        else:
            print_error(error)
    except BrokenPipeError:
        return exit_codes.BROKEN_PIPE
    except OSError as full:
        say_now(f"error: the output could not be written: {full}\n")
    return error.exit_code

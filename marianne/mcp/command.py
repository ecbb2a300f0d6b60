"""``marianne mcp``."""

from __future__ import annotations

import os
import sys

import click

from marianne.cli.group import ReaderLeft
from marianne.cli.options import Verb
from marianne.cli.session import Session

INSTRUCTIONS = """\
Marianne runs jobs made of command-line steps. A score (YAML) says what runs, after what, and what \
must be true afterwards; it becomes a job of sheets, which a conductor runs, retries and checks. \
To look: list, then status JOB, output JOB SHEET, explain JOB. A job goes on whether or not \
somebody waits for it. validate says all that is wrong with a score before it runs."""

ALLOWED = " To act: run, cancel, retry, resume."
ONLY_LOOKS = " This server only looks; a person starts one that may act with: marianne mcp --write."


@click.command("mcp", cls=Verb)
@click.option("--write", is_flag=True, help="Give the tools that change something too.")
@click.pass_obj
def command(session: Session, write: bool) -> None:
    """Serve agents the jobs as tools, by the Model Context Protocol.

    Speaks on standard input and output until the input ends. The tools status, list, output,
    explain, wait and validate only look, and start no conductor; --write adds run, cancel, retry
    and resume. An agent's client starts it itself, for instance by:
    claude mcp add marianne -- marianne mcp
    """
    from marianne.mcp import changing, seeing
    from marianne.mcp.calls import Calls
    from marianne.mcp.dialogue import Dialogue
    from marianne.mcp.server import Server
    from marianne.version import version

    if sys.stdin.isatty():
        click.echo(
            "This is for agents: a client of theirs starts it. See marianne mcp -h", err=True
        )
    looking = {tool.name: tool for tool in seeing.TOOLS}
    changing_ = {tool.name: tool for tool in changing.TOOLS}
    tools = looking | changing_ if write else looking
    info = {"name": "marianne", "title": "Marianne", "version": version()}
    words = INSTRUCTIONS + (ALLOWED if write else ONLY_LOOKS)
    dialogue = Dialogue(info, words, [tool.to_map() for tool in tools.values()])
    calls = Calls(session, tools, {} if write else changing_)
    incoming, outgoing = _line()
    try:
        Server(incoming, outgoing, dialogue, calls).serve()
    except BrokenPipeError:
        raise ReaderLeft from None


def _line() -> tuple[int, int]:
    """Our standard input and output, for the messages alone.

    In their place stand /dev/null and standard error: nothing that is printed here, or by what we
    start, gets between the messages.
    """
    incoming, outgoing = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    return incoming, outgoing

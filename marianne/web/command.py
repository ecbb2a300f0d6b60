"""``marianne web``."""

from __future__ import annotations

import click

from marianne.cli.errors import CliError
from marianne.cli.options import Verb
from marianne.cli.render.out import say
from marianne.cli.session import Session

EXTRA = "install it with: pip install 'marianne-conductor[web]'"


@click.command("web", cls=Verb)
@click.option(
    "--port", type=click.IntRange(0, 65535), default=0, metavar="N", help="0 (default): a free one."
)
@click.option("--socket", metavar="FILE", help="Serve at a Unix socket, not at 127.0.0.1.")
@click.option("--write", is_flag=True, help="Let the pages pause, resume, retry and cancel.")
@click.option(
    "--allow-host",
    "hosts",
    multiple=True,
    metavar="NAME",
    help="A name beside localhost that browsers may use, as behind a proxy.",
)
@click.option(
    "--address", is_flag=True, help="Print where the conductor has them served (web.enabled)."
)
@click.pass_obj
def command(
    session: Session,
    port: int,
    socket: str | None,
    write: bool,
    hosts: tuple[str, ...],
    address: bool,
) -> None:
    """Show the jobs in a browser.

    Serves pages at 127.0.0.1 until Ctrl-C and prints their address, which has a token in it:
    whoever has it sees the jobs (with --write: acts on them). Starts no conductor, and goes on
    over its restarts. From another machine: ssh -L 8000:127.0.0.1:PORT, or --socket.
    """
    try:
        from marianne.web import child
        from marianne.web.server import serve
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in ("starlette", "uvicorn"):
            raise
        raise CliError("usage", f"the pages need {error.name}, which is not here", EXTRA) from None
    if address:
        session.need_conductor()
        noted = child.served(session.home.path)
        if noted is None:
            hint = "run: marianne web (or say web: {enabled: true} in conductor.yaml)"
            raise CliError("not_found", "this conductor has no pages served", hint)
        say(noted)
        return
    if session.is_elsewhere:
        session.need_conductor(here=True)
    serve(session, port, socket, write, hosts)

"""``marianne logs``."""

from __future__ import annotations

import os
import sys
import time
from collections import deque
from collections.abc import Generator
from pathlib import Path

import click

from marianne.cli.options import Verb, json_option
from marianne.cli.render.log import LEVELS, level_of, print_log_line
from marianne.cli.render.out import note, say
from marianne.cli.session import Session

LOOK_SECONDS = 0.25


@click.command("logs", cls=Verb)
@click.option("--follow", "-f", is_flag=True, help="Go on with what is written.")
@click.option(
    "--lines", "-n", type=click.IntRange(min=0), default=50, show_default=True, metavar="N"
)
@click.option(
    "--level",
    "-l",
    type=click.Choice(LEVELS),
    default="debug",
    help="The least that is shown; --lines counts before.",
)
@json_option
@click.pass_obj
def command(session: Session, follow: bool, lines: int, level: str, as_json: bool) -> None:
    """Print the conductor's log.

    Reads the file itself, so it works when no conductor runs. With --json the lines as they are:
    one object each.
    """
    path = session.home.log
    if not path.exists():
        note(f"no log yet: {path}")
        if not follow:
            return
    for line in _lines(path, lines, follow):
        if level_of(line) in LEVELS[: LEVELS.index(level)]:
            continue
        if as_json:
            say(line)
        else:
            print_log_line(line)
        if follow:
            sys.stdout.flush()


def _lines(path: Path, count: int, follow: bool) -> Generator[str, None, None]:
    """The last ``count`` lines; then those that come. Goes on over a rotation of the file."""
    while follow and not path.exists():
        time.sleep(LOOK_SECONDS)
    file = path.open(encoding="utf-8", errors="replace")
    try:
        last = deque((line.rstrip("\n") for line in file), maxlen=count)
        if len(last) < count:
            last = deque((*_of(path.with_name(f"{path.name}.1")), *last), maxlen=count)
        yield from last
        pending = ""
        while follow:
            pending += file.readline()
            if pending.endswith("\n"):
                yield pending.rstrip("\n")
                pending = ""
            elif _replaced(file.fileno(), path, file.tell()):
                for line in file:  # what came before it was put away
                    yield (pending + line).rstrip("\n")
                    pending = ""
                file.close()
                file = path.open(encoding="utf-8", errors="replace")
            else:
                time.sleep(LOOK_SECONDS)
    finally:
        file.close()


def _of(path: Path) -> list[str]:
    """The lines of the file that was full before; none where there is none."""
    try:
        return path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []


def _replaced(fd: int, path: Path, position: int) -> bool:
    """Whether the path is another file now, or was cut."""
    try:
        there = os.stat(path)
    except FileNotFoundError:
        return False
    ours = os.fstat(fd)
    return (there.st_dev, there.st_ino) != (ours.st_dev, ours.st_ino) or there.st_size < position

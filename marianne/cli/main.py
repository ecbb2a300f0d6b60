"""The program ``marianne`` (also ``mzt``) as a process: its streams, its start and its end."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, NoReturn

from marianne.cli import exit_codes
from marianne.cli.session import Session
from marianne.streams import open_standard_streams, say_now

if TYPE_CHECKING:
    from marianne.daemon.boot.launch import Launch


def main() -> NoReturn:
    """The console script.

    Leaves by os._exit once everything is written: nothing here needs the interpreter's own
    clean-up, which takes as long as a fifth of the whole program (and would wait for threads).
    """
    open_standard_streams()
    argv = sys.argv[1:]
    session = Session()
    if argv == ["start"]:
        session.begun = _begin(session)
    from marianne.cli.program import run

    leave(run(argv, session))


def _begin(session: Session) -> Launch | None:
    """A conductor on its way up, while this process imports what else the verb needs.

    That takes a sixth of the whole start. None when one runs, or when it cannot be started: the
    verb finds the same, and says it.
    """
    from marianne.home import HomeError

    try:
        if session.running():
            return None
        from marianne.daemon.boot.launch import begin

        return begin(session.home)
    except (HomeError, OSError):
        return None


def leave(code: int) -> NoReturn:
    """Flushes what was printed and ends the process with this code."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except BrokenPipeError:
            code = exit_codes.BROKEN_PIPE
        except (OSError, ValueError) as error:
            # A full disk behind a redirect of the answer is not success.
            if stream is sys.stdout and code == exit_codes.OK:
                say_now(f"error: the output could not be written: {error}\n")
                code = exit_codes.FAILED
    os._exit(code)


if __name__ == "__main__":
    main()

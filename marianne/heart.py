"""The heart: the conductor's parent, which starts it again when it dies.

    python -I -S heart.py --home DIR --lock-fd N [--guard-fd N] --ready-fd N [--log FILE] -- ARGV...

Run by path, never imported by the conductor; standard library only, so that it stays small and
has next to nothing that can fail. ``ARGV`` runs a conductor; the heart adds

    --lock-fd N --guard-fd G --ready-fd M --heart-pid P --key-fd K

N is the descriptor that holds the flock on ``conductor.pid``, G that on the home itself; the heart
inherits both locked and passes them on, so that the lock is held through every restart. K is a pipe
with 32 random bytes, the same for each: by them a conductor proves to the workers of the one before
it that it is the next (:mod:`marianne.run.passed_key`). One byte on M says that the conductor
serves; for the first conductor it is passed on to the heart's own ``--ready-fd``, and a heart whose
first conductor never gets ready ends with that one's exit code. The file behind N names the present
conductor and the heart, a line each.

A conductor that exits 0 ends the heart. Any other ending is a death: one that had been ready is
replaced at once; starts that never get ready are counted, and five within 60 s end the heart with
exit code 1 and a clear word in the log (FILE, and standard error). Exit code 8 says that the
database cannot be used, which another start would not help: the heart ends with it. SIGTERM, SIGINT
and SIGHUP are passed on; a conductor that dies after a SIGTERM or SIGINT is not replaced. SIGUSR1
asks for a sweep.

The heart is a subreaper: what loses all of its parents comes to it. After a conductor's death it
ends that conductor's forkserver, and sweeps every orphan of a dead worker: a child of its own in
another session that is no living worker. When the heart itself dies, the conductor goes on.
"""

from __future__ import annotations

import os
import sys

sys.path.append(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

# All else is there: a script is compiled at each start, which costs memory for good; an imported
# module was compiled once.
from marianne.run import own_limits
from marianne.run.heart_options import Options
from marianne.run.keeper import Keeper


def main() -> int:
    """Reads the command line and beats."""
    own_limits.write_no_core()
    os.umask(0o077)  # what we make is ours alone; sheets get the usual one
    try:
        options = Options(sys.argv[1:])
    except ValueError as error:
        print(f"heart: {error}", file=sys.stderr)
        return 2
    return Keeper(options).run()


if __name__ == "__main__":
    code = main()
    sys.stderr.flush()
    os._exit(code)

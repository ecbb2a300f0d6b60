"""``python -m marianne.executors.warden DIRECTORY``: the warden of a node as a process of its own.

Its settings stand in the directory (``settings``, a packed map). One at a time serves a directory:
a second one ends at once. It listens at ``warden.sock`` in it as soon as nothing is left of an
earlier one; what it has to say goes to its standard error.
"""

from __future__ import annotations

import fcntl
import os
import socket
import sys
from pathlib import Path

from ipc import codec
from marianne.executors.warden.warden import Warden
from marianne.run import confine, procfs, watermark
from marianne.run.complain import complain
from marianne.run.setup import become_worker


def main(directory: Path) -> int:
    """Returns its exit code."""
    become_worker()
    procfs.take_name("marianne-warden")
    lock = os.open(directory / "warden.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return 0  # another serves
    settings = codec.unpack((directory / "settings").read_bytes())
    watermark.take(settings["owner"])
    if left := confine.sweep_orphans(settings["owner"]):
        complain(f"ended what an earlier warden had left: {left}")
    os.chdir(directory)  # the path of a socket is short that way
    place = Path("warden.sock")
    place.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(str(place))
    listener.listen()
    Warden(listener, settings).run()
    place.unlink(missing_ok=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))

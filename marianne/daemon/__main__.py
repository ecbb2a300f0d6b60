"""``python -m marianne.daemon --home DIR``: one conductor, in the foreground.

A package's ``__main__`` is not run again in the forkserver's children, which a script would be.
"""

from __future__ import annotations

import argparse
import gc
import os
import sys
from pathlib import Path

from marianne.daemon.processes.hashes import leave_openssl_out
from marianne.run import own_limits, passed_key
from marianne.streams import open_standard_streams

TYPE_CHECKING = False
if TYPE_CHECKING:
    from marianne.home import Home

COLLECT_EVERY = 20_000
"""Allocations between two collections of garbage. A job of 1,000 sheets is some 20,000 objects that
stay for its life, and a collection that meets them costs as much as starting the job. Modules while
they are imported would be met, too: until the conductor serves there is none at all."""


def main() -> None:
    """Reads the arguments and the configuration, and runs the conductor."""
    own_limits.write_no_core()
    own_limits.raise_files()
    os.umask(0o077)  # what we make is ours alone; sheets get the usual one
    open_standard_streams()
    gc.disable()  # until it serves: see Host.freeze
    gc.set_threshold(COLLECT_EVERY)
    arguments = _arguments()
    key = passed_key.take(arguments.key_fd)
    leave_openssl_out()

    from marianne.daemon.at_once import at_once
    from marianne.daemon.boot.conductor import Given
    from marianne.daemon.config import ConfigError, load_config
    from marianne.daemon.process import DaemonProcess
    from marianne.daemon.shared.log import close_echo
    from marianne.home import Home, HomeError, HomeLock

    try:
        home = Home(arguments.home)
        home.prepare()
        loaded = load_config(home, path=arguments.config)
        home = loaded.config.at(home)
        home.prepare()
        if loaded.config.listen is not None:
            _check_keys(home, loaded.config.listen)
    except (HomeError, ConfigError) as error:
        print(error, file=sys.stderr)
        sys.exit(2)
    given = Given(
        loaded,
        arguments.config,
        arguments.heart_pid,
        arguments.client,
        foreground=arguments.foreground,
        key=key,
    )
    lock = None
    if arguments.lock_fd is not None:
        lock = HomeLock(arguments.lock_fd, arguments.guard_fd)
    process = DaemonProcess(
        loaded.config, home=home, given=given, lock=lock, ready_fd=arguments.ready_fd
    )
    try:
        at_once(process.run())
    finally:
        close_echo()
        # Nothing is flushed: what we say is written as it is said, and a reader of standard error
        # who has stopped reading would keep us.
        os._exit(process.exit_code)  # multiprocessing would wait for children of their own ways


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m marianne.daemon", description="A conductor in the foreground."
    )
    parser.add_argument("--home", type=Path, help="its directory (default: MARIANNE_HOME)")
    parser.add_argument("--config", type=Path, help="its configuration file")
    parser.add_argument("--ready-fd", type=int, help="gets a byte when clients are served")
    parser.add_argument("--lock-fd", type=int, help="holds the lock of the home already")
    parser.add_argument("--guard-fd", type=int, default=-1, help="holds the home itself likewise")
    parser.add_argument("--heart-pid", type=int, help="the parent that replaces a dead conductor")
    parser.add_argument("--key-fd", type=int, default=-1, help="has the key of the heart")
    parser.add_argument("--client", type=_client, help="pid:start of the one it must not outlive")
    parser.add_argument("--foreground", action="store_true", help="log to standard error, too")
    return parser.parse_args()


def _check_keys(home: Home, listen: str) -> None:
    """Raises ConfigError where nobody could be served: there is no network without keys."""
    from ipc import curve
    from marianne.daemon.shared.exceptions import ConfigError, ConfigProblem
    from marianne.keys.store import Keys

    missing = Keys(home.path).missing()
    if not curve.available():
        missing = "the ZeroMQ that is installed was built without CURVE: pip install pyzmq"
    if missing is not None:
        raise ConfigError([ConfigProblem("listen", f"{listen}: {missing}")])


def _client(text: str) -> tuple[int, int]:
    pid, _, start_time = text.partition(":")
    return int(pid), int(start_time)


if __name__ == "__main__":
    main()

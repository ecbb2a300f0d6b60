"""A conductor for one client alone: in a temporary home, and over when the client is.

The home is a directory ``marianne-local-PID-START-…`` (of the client) among the temporary files,
mode 0700, for it holds an environment. The heart and the conductor watch the client; whoever of
heart and client is the last removes the home. What both could not remove, because they were killed
together, the next run sweeps: a home whose client is gone and whose lock is free.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from marianne.daemon.boot.launch import Tether
from marianne.environment import clean_environment
from marianne.home import Home, HomeError, config_places
from marianne.run import marked, procfs
from marianne.run.confine import sweep
from marianne.walls.cgroups import end_all

PREFIX = "marianne-local-"
NO_SETTINGS = frozenset(
    {"MARIANNE_CONNECT", "MARIANNE_HOME", "MARIANNE_FAULTS", "MARIANNE_TRACEBACK"}
)
"""Variables of ours that set nothing of a configuration."""

LINGER_SECONDS = 5.0

LONGEST_BASE = 32
"""Bytes of a directory's name, so that the sockets in a home below it have room for theirs."""

LAST_BASE = "/tmp"


def make_home(user: Home) -> tuple[Home, Tether]:
    """A new private home of this process, with the settings and the instruments of the user's.

    Nothing is changed in the user's home, which need not exist. Raises ConfigError for settings
    that do not fit, OSError when there is no room for temporary files.
    """
    pid = os.getpid()
    start = procfs.start_time(pid) or 0
    settings = _settings(user)
    path = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{pid}-{start}-", dir=_bases()[0]))
    home = Home(path)
    if settings is not None:
        home.config_file.write_text(json.dumps(settings))
    if user.instruments.is_dir():
        home.instruments.symlink_to(user.instruments)
    # What its helpers make goes with it too.
    environment = {**clean_environment(), "TMPDIR": str(path)}
    if settings is not None:
        from marianne.daemon.config import PROFILE_VARIABLE, DaemonConfig, variable_of

        for name in (*map(variable_of, DaemonConfig.names()), PROFILE_VARIABLE):
            environment.pop(name, None)
    return home, Tether(pid, start, environment)


def _settings(user: Home) -> dict[str, object] | None:
    """What is set for the user's conductor, without its places; None when nothing is."""
    variables = {name for name in os.environ if name.startswith("MARIANNE_")} - NO_SETTINGS
    if not variables and not any(map(os.path.lexists, config_places(user))):
        return None
    from marianne.daemon.config import RESTART_ONLY, load_config

    loaded = load_config(user)
    dumped = loaded.config.model_dump(mode="json")
    settings: dict[str, object] = {}
    for name, origin in loaded.origins.items():
        section = name.partition(".")[0]
        if origin != "default" and section not in {*RESTART_ONLY, "config_file"}:
            settings[section] = dumped[section]
    return settings


def sweep_stale() -> None:
    """Removes private homes of this user whose client is gone and that nobody else ends."""
    for path in _homes():
        words = os.path.basename(path).removeprefix(PREFIX).split("-")
        if len(words) < 3 or not all(word.isascii() and word.isdigit() for word in words[:2]):
            continue
        try:
            ours = os.lstat(path).st_uid == os.geteuid()
        except FileNotFoundError:
            continue
        if ours and not procfs.lives(int(words[0]), int(words[1])):
            remove_home(Home(path))


def _bases() -> list[str]:
    """Where private homes are made: the first one; and where others may be."""
    base = tempfile.gettempdir()
    short = len(os.fsencode(base)) <= LONGEST_BASE
    return [base, LAST_BASE] if short else [LAST_BASE, base]


def _homes() -> Iterator[str]:
    for base in dict.fromkeys(_bases()):
        with os.scandir(base) as entries:
            yield from [one.path for one in entries if one.name.startswith(PREFIX)]


def remove_home(home: Home) -> bool:
    """Ends what runs of a private home that no conductor holds, then removes it.

    Returns whether it is gone. Does nothing while its heart or its conductor lives.
    """
    if not home.path.is_dir():
        return True
    try:
        lock = home.lock()
    except HomeError:
        return False
    if lock is None:
        return False
    try:
        owner = home.owner_file.read_text(encoding="ascii").partition("\n")[0].strip()
    except OSError:
        owner = ""  # its conductor had not come so far: it has started nothing
    if owner:
        sweep(lambda: marked.left_behind(owner), patience=LINGER_SECONDS)
        end_all(home.path, owner)
    shutil.rmtree(home.path, ignore_errors=True)  # what stays is told by the look below
    lock.release()
    return not home.path.exists()

"""The unit that has systemd keep a conductor, as text: systemd.service(5), systemd.kill(5).

Its main process is the heart, which replaces a conductor that dies while running sheets go on;
systemd replaces the heart. What a unit forbids it forbids sheets, which are people's own commands
(sudo, other users' files, clocks), so it forbids nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field
from pathlib import Path

from marianne.records import dataclass

STARTS_SECONDS = 120
"""How long a start may take; on a busy machine, with thousands of jobs to take over."""

STOPS_SECONDS = 60
"""How long a stop may take beyond the grace of sheets."""

WATCHDOG_SECONDS = 180
"""A conductor that answers nobody for so long is replaced, with all that runs below it."""

FOR_GOOD = (2, 5, 6, 8)
"""Exit codes that another start would end with too: configuration, another conductor, database."""


@dataclass(frozen=True, slots=True)
class Unit:
    """``argv`` starts a conductor; ``user`` is whose it is, None where the manager is that user's.

    ``variables`` are set in its environment; ``grace`` is the sheets', in seconds.
    """

    argv: Sequence[str]
    target: str
    grace: float
    user: str | None = None
    variables: Mapping[str, str] = field(default_factory=dict)

    def text(self) -> str:
        """The file."""
        who = [f"User={self.user}"] if self.user else []
        variables = [f"Environment={_word(f'{n}={v}')}" for n, v in self.variables.items()]
        return "\n".join(
            [
                "[Unit]",
                "Description=Marianne conductor",
                "After=network.target",
                "StartLimitIntervalSec=0",
                "",
                "[Service]",
                "Type=notify",
                "NotifyAccess=all",  # the conductor speaks, the heart is the main process
                f"ExecStart={' '.join(map(_word, self.argv))}",
                "ExecReload=/bin/kill -HUP $MAINPID",
                *who,
                *variables,
                "Restart=on-failure",
                "RestartSec=2",
                f"RestartPreventExitStatus={' '.join(map(str, FOR_GOOD))}",
                # A stop is the heart's to order; what is left after it is nobody's any more.
                "KillMode=mixed",
                f"TimeoutStartSec={STARTS_SECONDS}",
                f"TimeoutStopSec={round(self.grace) + STOPS_SECONDS}",
                f"WatchdogSec={WATCHDOG_SECONDS}",
                # A sheet that the kernel ends for its memory is no reason to end the others.
                "OOMPolicy=continue",
                # Its sheets stand in control groups of its own.
                "Delegate=yes",
                "TasksMax=infinity",
                "LimitNOFILE=1024:524288",
                "",
                "[Install]",
                f"WantedBy={self.target}",
                "",
            ]
        )


def _word(text: str) -> str:
    """One word of a unit's line: quoted, with nothing in it for systemd to expand.

    ValueError for one that no line can hold.
    """
    if any(not char.isprintable() for char in text):
        raise ValueError(f"{text!r} cannot stand in a unit: it has a line's end or a control sign")
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return escaped if text.isascii() and not set(text) & set(" \"'\\;") else f'"{escaped}"'


def place(user: bool, config_home: Path) -> Path:
    """Where the manager of a user, or of the system, looks for it."""
    base = config_home / "systemd" / "user" if user else Path("/etc/systemd/system")
    return base / "marianne.service"

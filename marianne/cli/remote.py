"""A conductor of another machine: reached by a key file, or the reason why it is not."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from marianne.cli.errors import CliError

if TYPE_CHECKING:
    from ipc.network import Remote

REACH_SECONDS = 5.0
"""How long a conductor that does not answer is waited for; one that refuses says so at once."""


class Elsewhere:
    """What a client's key file (see ``marianne keys make``) says. Read when it is first used."""

    def __init__(self, file: str) -> None:
        self._file = file

    @cached_property
    def _places(self) -> tuple[Remote, Remote]:
        from marianne.keys.store import KeysError, remotes

        try:
            return remotes(self._file)
        except KeysError as error:
            raise CliError("usage", str(error)) from None

    @property
    def requests(self) -> Remote:
        """Where it takes requests."""
        return self._places[0]

    @property
    def events(self) -> Remote:
        """Where it tells events."""
        return self._places[1]

    def check(self) -> None:
        """Raises CliError where it is not reached; says why."""
        from ipc.reach import SILENT, why_not

        why = why_not(self.requests, REACH_SECONDS)
        if why is not None:
            code = "unreachable" if why == SILENT else "refused_key"
            raise CliError(code, f"{self.requests.address}: {why}", _HINTS[code])

    def not_here(self) -> CliError:
        """What a verb says that needs the conductor's files."""
        return CliError(
            "usage",
            f"this is done on the machine of the conductor, not by way of {self.requests.address}",
            "leave out --connect and MARIANNE_CONNECT there",
        )


_HINTS = {
    "unreachable": "on its machine: marianne conductor-status; is the port open from here?",
    "refused_key": "on its machine: marianne keys list, and marianne keys make NAME",
}

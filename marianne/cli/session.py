"""One run of the program: which home it talks to, and how it asks the conductor."""

from __future__ import annotations

import os
import time
from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from marianne.cli.errors import CliError, no_conductor

if TYPE_CHECKING:
    from ipc.client import Client
    from ipc.endpoint import Way
    from marianne.cli.remote import Elsewhere
    from marianne.daemon.boot.launch import Launch
    from marianne.home import Home
    from marianne.replies.methods import Ask

REQUEST_SECONDS = 10.0
"""How long a person waits for an answer; covers a conductor that is just starting."""

RETRIED = ("unavailable", "shutting_down")
"""What passes by itself. Pressure may last: the person hears of it at once and decides."""

PLACES_WITHIN = 2**20
"""Bytes of a configuration that are looked through for places; a longer one is refused anyway."""

HOLDER_LOOKS = 50
HOLDER_PAUSE = 0.01


class Session:
    """What the verbs share. Nothing is imported or opened before a verb needs it.

    ``begun`` is a conductor that is on its way up already. ``said_left``: it was said that what is
    shown is what the last one left. ``as_json``: ``--json`` was given, so errors are objects too.
    """

    begun: Launch | None = None
    said_left = False
    as_json = False

    def __init__(self, home: str | None = None) -> None:
        self._home_path = home
        self._home: Home | None = None
        self._client: Client | None = None
        self._elsewhere: Elsewhere | None = None
        file = None if home else os.environ.get("MARIANNE_CONNECT")
        if file:
            self.use_key(file)

    @classmethod
    def at(cls, home: Home) -> Session:
        """A session with the conductor of this home, wherever a configuration puts another's."""
        session = cls(str(home.path))
        session._home = home
        return session

    def another(self) -> Session:
        """One for another thread. It looks anew where the conductor serves."""
        other = Session(self._home_path)
        other._elsewhere = self._elsewhere
        return other

    def use_home(self, path: str) -> None:
        """``--home`` was given."""
        self._home_path = path
        self._home = self._elsewhere = None

    def use_key(self, file: str) -> None:
        """``--connect`` was given: the conductor is one of another machine."""
        from marianne.cli.remote import Elsewhere

        self._elsewhere = Elsewhere(file)

    @property
    def is_elsewhere(self) -> bool:
        """Whether the conductor is one of another machine, whose files are not here."""
        return self._elsewhere is not None

    @property
    def given_home(self) -> str | None:
        """The directory that ``--home`` named; None where the environment or the user decides."""
        return self._home_path

    @property
    def home(self) -> Home:
        """The conductor's directory; it need not exist. CliError where it is on another machine."""
        if self._elsewhere is not None:
            raise self._elsewhere.not_here()
        if self._home is None:
            from marianne.home import Home
            from marianne.serving import serving

            self._home = serving(_placed(Home(self._home_path)))
        return self._home

    def look_again(self) -> None:
        """Another conductor may serve elsewhere."""
        self.close()
        self._home = None

    @property
    def client(self) -> Client:
        """The connection of the main thread."""
        if self._client is None:
            if self._elsewhere is not None:
                self._elsewhere.check()
            self._client = self.new_client()
        return self._client

    def new_client(self) -> Client:
        """A connection of its own, for another thread."""
        from ipc.client import Client

        return Client(self.requests, alive=self.running)

    @property
    def requests(self) -> Way:
        """Where the conductor takes requests."""
        return self._elsewhere.requests if self._elsewhere else self.home.conductor_sock

    @property
    def events(self) -> Way:
        """Where it tells events."""
        return self._elsewhere.events if self._elsewhere else self.home.events_sock

    def close(self) -> None:
        """Ends the main thread's connection. A program that leaves by os._exit need not."""
        if self._client is not None:
            self._client.close()
            self._client = None

    def running(self) -> bool:
        """Whether a conductor runs or is about to: whether somebody holds the lock. Of one that is
        elsewhere nobody knows until he asks."""
        return self.is_elsewhere or self.home.running()

    def holder(self) -> int | None:
        """The conductor's pid; None when none runs here. Waits while one only starts."""
        if self.is_elsewhere:
            return None
        from marianne.home import HomeError

        for _ in range(HOLDER_LOOKS):
            try:
                return self.home.holder()
            except HomeError:
                time.sleep(HOLDER_PAUSE)
        return self.home.holder()

    def need_conductor(self, *, here: bool = False) -> None:
        """Fails unless a conductor runs; ``here``: on this machine, where its files are."""
        if here and self._elsewhere is not None:
            raise self._elsewhere.not_here()
        if not self.running():
            raise no_conductor(self.home.path)

    def _request(
        self,
        method: str,
        params: dict[str, Any] | None = None,
        *,
        deadline: float | None = None,
        client: Client | None = None,
        retry: Collection[str] = RETRIED,
        request_id: str | None = None,
    ) -> Any:
        """The conductor's answer within ``deadline`` seconds (default: REQUEST_SECONDS).

        Raises CliError for every way of not getting one.

        A refusal with a code in ``retry`` is tried again until the deadline. Two requests of one
        ``request_id`` act once.
        """
        seconds = REQUEST_SECONDS if deadline is None else deadline
        self.need_conductor()
        from ipc.errors import CodecError, DeadlineExceeded, IpcError, RemoteError

        try:
            return (client or self.client).request(method, params or {}, seconds, request_id, retry)
        except RemoteError as error:
            if error.code in RETRIED:
                self.need_conductor()  # it may have gone for good meanwhile
            raise _readable(error, method) from None
        except DeadlineExceeded:
            self.need_conductor()
            if self._elsewhere is not None:
                self._elsewhere.check()  # its key may have been revoked meanwhile
            raise CliError(
                "deadline",
                f"the conductor did not answer within {seconds:g} s",
                "see what it does with: marianne logs",
            ) from None
        except CodecError as error:
            raise CliError("bad_request", str(error)) from None
        except IpcError as error:
            raise CliError("bad_home", str(error)) from None

    if TYPE_CHECKING:
        request: Ask
    else:
        request = _request


def _placed(home: Home) -> Home:
    """The home with its files where the configuration puts them.

    Reading a configuration costs as much as all else that a short verb does, so it is only read
    where it can name a place. One that does not fit is the conductor's to complain about.
    """
    from marianne.home import config_places
    from marianne.regular_file import read_regular

    named = any(os.environ.get(variable) for variable in _PLACES)
    for place in config_places(home):
        try:
            text = read_regular(str(place), PLACES_WITHIN)
        except OSError:
            continue
        named = named or any(word in text for word in _PLACE_WORDS)
        break
    if not named:
        return home
    from marianne.daemon.config import ConfigError, load_config

    try:
        return load_config(home).config.at(home)
    except ConfigError:
        return home


_PLACES = (
    "MARIANNE_SOCKET__PATH",
    "MARIANNE_PID_FILE",
    "MARIANNE_STATE_DB_PATH",
    "MARIANNE_LOG_FILE",
    "MARIANNE_CONFIG_FILE",
)
_PLACE_WORDS = (b"path", b"pid_file", b"log_file")


def _readable(error: Any, method: str) -> CliError:
    """The conductor's error, in words for a person where the bare one says too little."""
    if error.code == "unknown_method":
        return CliError(
            "unknown_method",
            f"the running conductor does not know {method!r}",
            "it may be of another version: marianne restart",
        )
    hint = error.hint
    if hint is None and error.code in ("unavailable", "internal"):
        hint = "what happened is in: marianne logs"
    return CliError(error.code, error.message, hint, error.data)

"""Asking the conductor from an event loop."""

from __future__ import annotations

from typing import Any, Final

from ipc.aclient import AsyncClient
from ipc.errors import CodecError, DeadlineExceeded, IpcError, RemoteError
from marianne.cli.errors import CliError, no_conductor
from marianne.cli.session import RETRIED, Session

SECONDS: Final = 10.0


class Conductor:
    """The one that serves in the session's home, now and after each of its deaths."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self._client = AsyncClient(session.requests)

    def close(self) -> None:
        """Ends the connection."""
        self._client.close()

    async def ask(self, method: str, seconds: float = SECONDS, /, **params: Any) -> Any:
        """The answer to a method. Raises CliError for every way of not getting one."""
        if not self.session.running():
            raise no_conductor(self.session.home.path)
        try:
            return await self._client.request(method, params, seconds, retry=RETRIED)
        except RemoteError as error:
            raise CliError(error.code, error.message, error.hint, error.data) from None
        except DeadlineExceeded:
            text = f"the conductor did not answer within {seconds:g} s"
            raise CliError("deadline", text, "see what it does with: marianne logs") from None
        except CodecError as error:
            raise CliError("bad_request", str(error)) from None
        except IpcError as error:
            raise CliError("unavailable", str(error)) from None

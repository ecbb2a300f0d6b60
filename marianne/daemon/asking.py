"""Asking actors from an event loop, and reading what is on disk, as the documented methods do."""

from __future__ import annotations

import os
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

from actors import ActorDied, AskTimeout, Handle, MailboxFull, NoSuchActor
from marianne.daemon.shared.exceptions import JobSubmissionError
from marianne.daemon.shared.refusal import Refused
from marianne.daemon.shared.unforeseen import refusal_of
from marianne.environment import clean_environment, packable
from marianne.state.errors import DatabaseCorrupt
from marianne.state.reader import Reader

if TYPE_CHECKING:
    from marianne.daemon.context import Context
    from marianne.daemon.types import JobRequest

P = ParamSpec("P")
T = TypeVar("T")

PATIENCE = 120.0
"""Seconds for one question, a part of the tree being restarted included."""

AGAIN = 0.1
"""Seconds until an actor that is being restarted is asked again."""

ALL_SHEETS = 1 << 30


def method(name: str) -> Callable[..., Any]:
    """The actor's method of that name."""
    from marianne.daemon.jobs.actor import ManagerActor

    found: Callable[..., Any] = getattr(ManagerActor, name)
    return found


async def clear_limits(context: Context, instrument: str | None) -> dict[str, Any]:
    """Ends the rate limits of an instrument, or all."""
    from marianne.daemon.services.rates import RatesActor

    asked = ask(context.rates, RatesActor.clear_limits, (instrument,), new_id())
    answer: dict[str, Any] = await as_submitter(asked)
    return answer


def new_id() -> str:
    """The id of a change that is asked for: asked again under it, it is done once."""
    return f"embedded-{os.urandom(16).hex()}"


async def ask(
    handle: Handle[Any], what: Callable[..., Any], args: tuple[Any, ...], request_id: str | None
) -> Any:
    """The actor's answer. Waits for one that is being restarted, and blocks no loop.

    Raises what it refuses with, or TimeoutError when the patience is at its end.
    """
    from asyncio import sleep  # a conductor's own process does without it

    named = {} if request_id is None else {"request_id": request_id}
    until = time.monotonic() + PATIENCE
    while True:
        try:
            left = max(0.001, until - time.monotonic())
            return await handle.within(left).call(what, *args, **named)
        except (ActorDied, NoSuchActor, MailboxFull) as error:
            if time.monotonic() >= until:
                raise TimeoutError(f"the tree did not come back: {error}") from error
        except AskTimeout as error:
            raise TimeoutError(str(error)) from error
        except Refused as refusal:
            if refusal.code != "unavailable" or time.monotonic() >= until:
                raise
        await sleep(AGAIN)


async def as_submitter(asked: Awaitable[T]) -> T:
    """The answer; what is refused is a JobSubmissionError."""
    try:
        return await asked
    except Refused as refusal:
        raise submission_error(refusal) from None


async def read(
    context: Context, view: Callable[Concatenate[Reader, P], T], *args: P.args, **kwargs: P.kwargs
) -> T:
    """What a view tells of what is on disk; read in a thread, for it may take a while."""
    from asyncio import to_thread

    def look() -> T:
        try:
            with Reader(context.home.db) as reader:
                return view(reader, *args, **kwargs)
        except DatabaseCorrupt as error:
            context.stop.ask("unusable", why=str(error))
            raise
        except Exception as error:
            raise refusal_of(error) from error

    return await as_submitter(to_thread(look))


def submission_error(refusal: Refused) -> JobSubmissionError:
    """What was refused, for who embeds a conductor."""
    return JobSubmissionError(words(refusal))


def words(refusal: Refused) -> str:
    """What is wrong, and what to do next."""
    return f"{refusal.message}; {refusal.hint}" if refusal.hint else refusal.message


def completed(request: JobRequest) -> JobRequest:
    """The request with this program's environment and directory where it names none."""
    given: dict[str, Any] = {}
    if "environment" not in request.model_fields_set:
        given["environment"] = packable(clean_environment())
    if request.client_cwd is None:
        given["client_cwd"] = Path.cwd()
    return request.model_copy(update=given)


def place(path: Path | None) -> str | None:
    """An absolute path, from this program's directory."""
    return None if path is None else os.path.abspath(path)

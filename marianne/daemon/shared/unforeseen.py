"""What nobody foresaw while a request was handled: it refuses that request, and ends no actor.

An actor that ends takes with it whatever stands on its state, and whoever sends the same request
again ends it again. One request is not worth that.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Concatenate, ParamSpec, TypeVar

from actors import Refusal
from marianne.as_started import ReplacedError
from marianne.daemon.shared import storage
from marianne.daemon.shared.log import get_logger
from marianne.daemon.shared.refusal import Refused
from marianne.daemon.shared.start_delays import passing
from marianne.state.errors import DatabaseCorrupt, NoSuchJob, OtherRequest, StoreError

log = get_logger(__name__)

GONE = (
    "its files have changed or are gone since it started; what runs goes on. Once they are in "
    "place: `marianne restart`"
)

SOON = "what runs goes on; ask again in a few seconds"

A = TypeVar("A")
P = ParamSpec("P")
R = TypeVar("R")


def refused(error: BaseException) -> Refused:
    """What the asker is told of it; the log has the rest. What the machine lacks just now (a file,
    memory) is no fault of the request nor of ours: it may be asked again."""
    if isinstance(error, (OSError, MemoryError)) and passing(error):
        log.warning("request_put_off", error=repr(error))
        return Refused("unavailable", f"this machine does not allow it just now: {error!r}")
    if isinstance(error, ReplacedError) and error.soon:
        return Refused("unavailable", f"{error}: another one takes its place", hint=SOON)
    if not isinstance(error, ReplacedError):  # that one is told of where it is found
        log.error("handler_failed", error=repr(error), exc_info=error)
    if isinstance(error, ImportError):
        return Refused("internal", f"a part of the conductor cannot be loaded: {error}", hint=GONE)
    return Refused(
        "internal",
        f"the conductor failed on this request: {type(error).__name__}: {str(error)[:500]}",
        hint="its log says more: `marianne logs`",
    )


def refusal_of(error: Exception) -> Refusal:
    """What the asker is told instead of the error. Raises it again if the state is damaged: then
    there is nothing more to answer with."""
    if isinstance(error, Refusal):
        return error
    if isinstance(error, DatabaseCorrupt):
        raise error
    if isinstance(error, StoreError):
        return storage.refused(str(error))
    if isinstance(error, NoSuchJob):
        return Refused("not_found", f"{error}: it has just been deleted")
    if isinstance(error, OtherRequest):
        return Refused("bad_request", str(error), hint="ids are never used again")
    return refused(error)


def question(method: Callable[Concatenate[A, P], R]) -> Callable[Concatenate[A, P], R]:
    """For a method of an actor that answers a request and changes nothing by itself."""

    def asked(actor: A, /, *args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return method(actor, *args, **kwargs)
        except Exception as error:
            raise refusal_of(error) from error

    functools.update_wrapper(asked, method)  # actors find a method by its name
    return asked

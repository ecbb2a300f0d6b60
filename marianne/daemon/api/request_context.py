"""One request on its way through a handler, and how its outcome becomes an answer."""

from __future__ import annotations

from actors import ActorDied, AskTimeout, MailboxFull, NoSuchActor
from marianne.daemon.context import Context
from marianne.daemon.shared import unforeseen
from marianne.daemon.shared.idempotency import RequestId
from marianne.daemon.shared.log import get_logger
from marianne.daemon.shared.refusal import Refused, not_found
from marianne.daemon.shared.storage import refused
from marianne.records import dataclass
from marianne.state.errors import (
    AmbiguousJob,
    DatabaseCorrupt,
    DuplicateRequest,
    NoSuchJob,
    OtherRequest,
    StoreError,
)
from marianne.state.reader import Reader

log = get_logger(__name__)


@dataclass(slots=True)
class Call:
    """What a handler is given beside its parameters. ``deadline`` is in seconds from now."""

    context: Context
    reader: Reader
    request_id: RequestId
    deadline: float

    def resolve(self, job: str) -> str:
        """The id that is meant: an exact one, or the only one that begins like this.

        Refuses with ``not_found``; an ambiguous prefix names its candidates.
        """
        try:
            return self.reader.resolve(job)
        except NoSuchJob:
            raise not_found(job) from None
        except AmbiguousJob as error:
            raise Refused("not_found", str(error), hint="give more of the id") from None

    def newest(self, job: str) -> str:
        """The newest job of the score that is called so; as it is where there is no such score."""
        return self.reader.newest(job) or job


def error_of(error: BaseException, call: Call) -> Refused:
    """The coded error that a client sees for what went wrong in a handler or an actor.

    A request whose actor crashes is asked again by the client, unless it has to be taken for the
    cause: see :mod:`marianne.daemon.shared.deaths`.
    """
    if isinstance(error, Refused):
        return error
    if (
        isinstance(error, ActorDied)
        and error.reason.abnormal
        and call.context.deaths.enough(call.request_id, error.serving)
    ):
        return Refused(
            "internal",
            f"a part of the conductor failed again and again on this request: {error}",
            hint="its log says more: `marianne logs`",
        )
    if isinstance(error, (ActorDied, NoSuchActor, MailboxFull)):
        return Refused("unavailable", "the conductor is restarting a part of itself")
    if isinstance(error, NoSuchJob):
        return Refused("not_found", f"{error}: it has just been deleted")
    if isinstance(error, OtherRequest):
        return Refused("bad_request", str(error), hint="ids are never used again")
    if isinstance(error, StoreError):
        return refused(str(error))
    if isinstance(error, DuplicateRequest):
        # Asked once more, it finds its reply.
        return Refused("unavailable", "this request has just been carried out")
    if isinstance(error, DatabaseCorrupt):
        log.error("database_damaged", error=str(error))
        call.context.stop.ask("unusable", why=str(error))
        return Refused("internal", str(error))
    if isinstance(error, AskTimeout):
        return Refused("deadline", "no answer within the deadline")
    return unforeseen.refused(error)

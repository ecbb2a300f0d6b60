"""Mutating requests act once: who asks again joins the first, or finds what it was answered.

The reply of a change is a row in the change's own transaction (``RememberReply``), so there is a
reply exactly if there is the change. The row's key is the request's id; in a request that means
several jobs each job's change is a transaction of its own with the key ``<id>/<job_id>``, and
``<id>/`` keeps which jobs were meant (:mod:`marianne.daemon.api.selection`).
"""

from __future__ import annotations

import hashlib
import time
from typing import Any, Generic, TypeVar

from actors import Promise
from ipc import codec
from ipc.errors import CodecError
from marianne.daemon.shared.refusal import Refused
from marianne.state.changes import Change, RememberReply
from marianne.state.errors import OtherRequest
from marianne.state.reader import Reader

R_contra = TypeVar("R_contra", contravariant=True)


class RequestId(str):
    """A client's id of a request, with a hash of what was asked under it."""

    __slots__ = ("asked",)
    asked: bytes

    def __new__(cls, text: str, asked: bytes) -> RequestId:
        made = super().__new__(cls, text)
        made.asked = asked
        return made

    def part(self, name: str) -> RequestId:
        """The id of what this request means for one job."""
        return RequestId(f"{self}/{name}", self.asked)


def hash_of(method: str, params: dict[str, Any]) -> bytes:
    """Tells one question from another; the order of keys in maps does not count.

    Refuses what is nested so deeply that nobody asks for it.
    """
    try:
        packed = codec.pack((method, _ordered(params)))
    except (CodecError, RecursionError):
        raise Refused("invalid_params", "the parameters are nested too deeply") from None
    return hashlib.sha256(packed).digest()[:16]


_FLAT = frozenset({str, bytes, int, float, bool, type(None)})


def _ordered(value: Any) -> Any:
    if isinstance(value, dict):
        try:
            keys = sorted(value)
        except TypeError:
            keys = sorted(value, key=codec.pack)
        items = list(map(value.__getitem__, keys))
        if not _FLAT.issuperset(map(type, items)):  # an environment is, and long
            items = [item if type(item) in _FLAT else _ordered(item) for item in items]
        return keys, items
    return [_ordered(item) for item in value] if isinstance(value, (list, tuple)) else value


def reply_row(request_id: str, reply: Any) -> RememberReply:
    """What keeps the reply of a request, in the transaction of its change."""
    asked = getattr(request_id, "asked", None)
    return RememberReply(request_id, codec.pack(reply), time.time(), asked)


class Answer(Generic[R_contra]):
    """The one answer to all who ask under one id; without an id just to the one who asks."""

    def __init__(
        self, requests: Requests, request_id: str | None, first: Promise[R_contra]
    ) -> None:
        self._requests = requests
        self.request_id = request_id
        self.promises = [first]

    def remember(self, reply: Any) -> list[Change]:
        """What belongs into the transaction of the change that ``reply`` tells of."""
        if self.request_id is None:
            return []
        return [reply_row(self.request_id, reply)]

    def set(self, reply: R_contra) -> None:
        """The change is on disk."""
        self._requests.close(self)
        self.tell(reply)

    def tell(self, reply: R_contra) -> None:
        """The change is on disk: for whoever learns it first, in any thread. ``set`` follows, and
        answers those who have come since."""
        while True:
            try:
                promise = self.promises.pop()
            except IndexError:
                return
            promise.set(reply)

    def fail(self, error: BaseException) -> None:
        """Nothing was changed."""
        self._requests.close(self)
        for promise in self.promises:
            promise.fail(error)


class Requests:
    """The requests that an actor has under way."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._open: dict[str, Answer[Any]] = {}

    def open(self, request_id: str | None, promise: Promise[R_contra]) -> Answer[R_contra] | None:
        """The answer that is owed; None for a resent request, whose promise is taken care of."""
        if request_id is None:
            return Answer(self, None, promise)
        asked = getattr(request_id, "asked", None)
        first = self._open.get(request_id)
        if first is not None:
            if asked != getattr(first.request_id, "asked", None):
                raise OtherRequest("this id is in use by another request: ids are unique")
            first.promises.append(promise)
            return None
        read = self._reader
        kept = read.reply(request_id) if asked is None else read.answered(request_id, asked)
        if kept is not None:
            promise.set(codec.unpack(kept))
            return None
        answer = self._open[request_id] = Answer(self, request_id, promise)
        return answer

    def close(self, answer: Answer[Any]) -> None:
        """The answer is given."""
        if answer.request_id is not None:
            self._open.pop(answer.request_id, None)

"""``daemon.fault``: crash an actor, for tests of supervision.

Known only to a conductor that was started with ``MARIANNE_FAULTS=1`` in its environment.
"""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING

from actors import Actor, NoSuchActor
from marianne.daemon.api.request_context import Call
from marianne.daemon.shared import edge
from marianne.daemon.shared.refusal import Refused

if TYPE_CHECKING:
    from marianne.replies.conductor import Injected

MUTATING = False

ANSWER_FIRST = 0.02
"""Seconds that the answer has to leave before ``now``."""

_done: set[str] = set()


class Params(edge.Params):
    """The name of the actor whose next message is to fail; ``now`` sends it one that does."""

    name: edge.Name
    now: bool = False


class InjectedFault(Exception):  # noqa: N818 - it is a fault, not an error of ours
    """What an actor is made to raise."""


def handle(call: Call, params: Params) -> Injected:
    """Answers at once, also when it is the server that crashes."""
    if os.environ.get("MARIANNE_FAULTS") != "1":
        raise Refused("unknown_method", "faults are off", hint="set MARIANNE_FAULTS=1")
    if call.request_id in _done:
        return {}  # asked again: the crash took the answer with it
    _done.add(call.request_id)
    try:
        call.context.system.inject(params.name, InjectedFault(f"injected into {params.name}"))
    except NoSuchActor:
        raise Refused("not_found", f"no actor {params.name!r}") from None
    if params.now:
        actor = call.context.system.handle(Actor, params.name)
        # Where the conductor dies of it, the next one does not know that it was asked before.
        threading.Timer(ANSWER_FIRST, actor.tell, (Actor.on_idle,)).start()
    return {}

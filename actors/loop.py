"""The life of an incarnation, in its own thread.

pykka's loop lets an actor live on after a failed ask, stops every actor of the process at a
SystemExit, and says "dead" before the cleanup has run. So the loop is ours.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from actors.as_pykka import report
from actors.current import current
from actors.errors import Fenced, Refusal
from actors.future import Promise
from actors.outside import shown
from actors.reasons import KILLED, NORMAL, ExitReason, Ignore, Info, Started, crash

if TYPE_CHECKING:
    from types import TracebackType

    from actors.actor import Actor
    from actors.cell import Cell
    from actors.future import Future
    from actors.mailbox import Args, Kwargs


def run(cell: Cell) -> None:
    """The whole life of the incarnation, in its own thread."""
    current.cell = cell
    actor: Actor | None = None
    reason = NORMAL
    traceback: TracebackType | None = None
    try:
        if cell.fenced:  # killed before its thread ran
            raise Fenced
        actor, started = _start(cell)
        if actor is None:
            if cell.end(started.reason, None):
                cell.started.settle(started)
            return
        cell.actor = actor
        if not cell.started.settle(started):
            actor = cell.actor = None  # killed while it started
            return
        reason = _loop(cell, actor)
    except BaseException as error:  # noqa: BLE001  # also SystemExit ends this actor only
        if cell.of_pykka:
            traceback = error.__traceback__
        reason = crash(error)
    finally:
        if actor is not None:
            cell.end(reason, actor, traceback)
        traceback = None  # a cycle: it holds this frame
        current.cell = None
        cell.thread_ended = True
        cell.system.thread_ended(cell)


def _start(cell: Cell) -> tuple[Actor | None, Started]:
    try:
        actor = cell.make(listed=cell.cls.is_plain) if cell.actor is None else cell.actor
        answer: object = actor.on_start()
    except BaseException as error:  # noqa: BLE001
        if cell.actor is not None:
            report(cell.actor, error, error.__traceback__)
        return None, Started("error", crash(error))
    if answer is None:
        return actor, Started("ok", NORMAL)
    if isinstance(answer, Ignore):
        return None, Started("ignore", NORMAL)
    if isinstance(answer, Info):
        return actor, Started("ok", NORMAL, answer.value)
    if cell.actor is not None:  # pykka does not look at what it returns
        return actor, Started("ok", NORMAL)
    bad = f"bad return of on_start: {shown(answer)}"
    return None, Started("error", ExitReason("error", bad))


def _loop(cell: Cell, actor: Actor) -> ExitReason:
    mailbox = cell.mailbox
    system, user = mailbox.system, mailbox.user
    take, monotonic = mailbox.take, cell.system.runtime.monotonic
    timing = cell.system.events.timing
    idle = actor.on_idle if actor.has_idle_hook else None
    while cell.leaving is None:
        if system:
            handler, payload = system.pop(0)
            handler(cell, payload)
        elif user and not cell.suspended:
            try:
                name, args, kwargs, future = take()
            except IndexError:  # a sender dropped the oldest one in this moment
                continue
            cell.handled += 1
            cell.heard = None
            if cell.trace is not None:
                cell.trace.append((monotonic(), _said(name, args)))
            if future is None:
                try:
                    if cell.injected:
                        raise cell.injected.popleft()
                    if timing:
                        _measured(cell, actor, name, args, kwargs)
                    else:
                        getattr(actor, name)(*args, **kwargs)
                except Refusal as refusal:
                    if refusal is cell.heard:  # another's answer, which nobody here has handled
                        raise
                    cell.system.events.dead_letter("refused", cell.name)
            elif future.deadline is not None and monotonic() >= future.deadline:
                future.expire()
                cell.system.events.dead_letter("expired", cell.name)
            else:
                _serve(cell, actor, name, args, kwargs, future)
        else:
            # What the last message held must not live until the next one comes.
            args = kwargs = future = None  # type: ignore[assignment]
            if idle is not None and not cell.suspended:
                idle()
                if cell.leaving is not None:
                    break
            mailbox.wait(not cell.suspended)
    return cell.leaving


def _serve(
    cell: Cell, actor: Actor, name: str, args: Args, kwargs: Kwargs, future: Future[Any]
) -> None:
    cell.asked = future
    if cell.fenced:  # killed since the message was taken: the drain has not seen it
        future.died(KILLED)
        raise Fenced
    cell.promised = False
    try:
        if cell.injected:
            raise cell.injected.popleft()
        if cell.system.events.timing:
            value = _measured(cell, actor, name, args, kwargs)
        else:
            value = getattr(actor, name)(*args, **kwargs)
    except Refusal as refusal:
        if refusal is cell.heard:
            raise
        cell.asked = None
        refusal.__traceback__ = None  # the asker needs our words, not our local variables
        future.refuse(refusal)
        return
    if type(value) is Promise and not cell.promised:
        raise TypeError("a promise answers the one message in which it was made")
    # An exception leaves `asked` set: the end of this incarnation answers it.
    cell.asked = None
    if not cell.promised:
        future.answer(value)


def _measured(cell: Cell, actor: Actor, name: str, args: Args, kwargs: Kwargs) -> Any:
    monotonic = cell.system.runtime.monotonic
    begun = monotonic()
    try:
        return getattr(actor, name)(*args, **kwargs)
    finally:
        cell.system.events.handled(cell, _said(name, args), monotonic() - begun)


def _said(name: str, args: Args) -> str:
    """The method that a message names, also when a timer has sent it."""
    return args[1] if name == "_beat" else name

"""Plain pykka classes, which know nothing of this package, as actors of a system."""

from __future__ import annotations

from functools import cache
from inspect import isclass
from types import new_class
from typing import TYPE_CHECKING, Any

from pykka import ThreadingActor

from actors.actor import Actor
from actors.address import MessageNames


class Plain(Actor):
    """Stands behind a pykka class, in the place of pykka's own loop, inbox and thread.

    Its life, its mailbox and its end are ours; what pykka promises of messages, hooks and `stop`
    stays as it is. Its attributes are its own: only `_cell` and pykka's are on the instance.
    """

    mailbox_limit = None

    if not TYPE_CHECKING:
        stop = ThreadingActor.stop  # it waits its turn


class _Quiet:
    """Stands before it: what the class does when it is subclassed is not for this subclass."""

    def __init_subclass__(cls) -> None: ...


# What the class itself calls `ask_timeout` or `on_idle` has nothing to do with ours.
_OURS = ("mailbox_limit", "mailbox_policy", "mailbox_high", "ask_timeout", "start_timeout")
_SETTINGS = {name: getattr(Plain, name) for name in _OURS} | {
    "is_plain": True,
    "is_supervisor": False,
    "has_idle_hook": False,
    "of_pykka": True,
    "on_stop_takes_reason": False,
}


def is_actor_class(cls: object) -> bool:
    """Whether a system can run it."""
    return isclass(cls) and issubclass(cls, (Actor, ThreadingActor))


def as_actor(cls: type[Any]) -> type[Actor]:
    """`cls` itself, or the actor class that runs it if it is a plain pykka class."""
    # Each start asks this, and issubclass of an ABC takes its time.
    return cls if Actor in cls.__mro__ else _subclass(cls)  # type: ignore[arg-type]


@cache
def _subclass(cls: type[Any]) -> type[Actor]:
    bases = (_Quiet, Plain) if issubclass(Plain, cls) else (_Quiet, cls, Plain)
    body = {**_SETTINGS, "__module__": cls.__module__, "__qualname__": cls.__qualname__}
    made: Any = new_class(cls.__name__, bases, exec_body=lambda space: space.update(body))
    made.message_names = MessageNames(made)
    return made  # type: ignore[no-any-return]

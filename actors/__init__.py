"""OTP supervision for Python threads and processes."""

from actors.actor import Actor
from actors.address import ActorRef, Address, Handle
from actors.backoff import Backoff
from actors.dynamic import DynamicSupervisor
from actors.errors import (
    ActorDied,
    ActorError,
    AskCycle,
    AskTimeout,
    ChildError,
    MailboxFull,
    NameTaken,
    NoSuchActor,
    PoolFull,
    Refusal,
    SpecError,
    StartError,
    StartIgnored,
)
from actors.events import SystemEvent
from actors.future import Future, Outcome, Promise
from actors.inspect import Inspector
from actors.monitor import Monitor
from actors.partitions import Partitions
from actors.pool import Pool
from actors.reasons import KILLED, NORMAL, SHUTDOWN, Down, ExitReason
from actors.spec import BRUTAL_KILL, ChildSpec
from actors.started import Ignore, Info
from actors.supervisor import Supervisor
from actors.system import System
from actors.timers import Timer
from actors.topic import Topic

__all__ = [
    "BRUTAL_KILL",
    "KILLED",
    "NORMAL",
    "SHUTDOWN",
    "Actor",
    "ActorDied",
    "ActorError",
    "ActorRef",
    "Address",
    "AskCycle",
    "AskTimeout",
    "Backoff",
    "ChildError",
    "ChildSpec",
    "Down",
    "DynamicSupervisor",
    "ExitReason",
    "Future",
    "Handle",
    "Ignore",
    "Info",
    "Inspector",
    "MailboxFull",
    "Monitor",
    "NameTaken",
    "NoSuchActor",
    "Outcome",
    "Partitions",
    "Pool",
    "PoolFull",
    "Promise",
    "Refusal",
    "SpecError",
    "StartError",
    "StartIgnored",
    "Supervisor",
    "System",
    "SystemEvent",
    "Timer",
    "Topic",
]

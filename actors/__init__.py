"""OTP supervision for Python threads and processes."""

from actors.actor import Actor
from actors.address import ActorRef, Address, Handle, Topic
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
from actors.pace import Backoff
from actors.partitions import Partitions
from actors.pool import Pool
from actors.reasons import KILLED, NORMAL, SHUTDOWN, Down, ExitReason, Ignore, Info
from actors.spec import BRUTAL_KILL, ChildSpec
from actors.supervisor import DynamicSupervisor, Supervisor
from actors.system import System
from actors.timers import Timer

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

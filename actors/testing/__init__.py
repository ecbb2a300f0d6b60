"""Deterministic tests of programs built on `actors`."""

from actors.testing.explore import ScheduleFailed, explore, first_failure
from actors.testing.faults import Fault, Faults, fault_point
from actors.testing.policies import Policy, Preemptions, PriorityChanges, RandomWalk, Replay
from actors.testing.simulation import Deadlock, Livelock, Simulation, SimulationError, Stuck
from actors.testing.threads import SimLock

__all__ = [
    "Deadlock",
    "Fault",
    "Faults",
    "Livelock",
    "Policy",
    "Preemptions",
    "PriorityChanges",
    "RandomWalk",
    "Replay",
    "ScheduleFailed",
    "SimLock",
    "Simulation",
    "SimulationError",
    "Stuck",
    "explore",
    "fault_point",
    "first_failure",
]

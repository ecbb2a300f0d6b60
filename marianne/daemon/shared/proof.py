"""How this conductor proves to its workers that it is the conductor.

A sheet has the uid of all of ours, so it may put a socket of its own in the place of the workers',
or be the first to bind that when a conductor has died. It does not have the key: the heart has,
which passes it to each of its conductors on an inherited descriptor.
"""

from __future__ import annotations

from dataclasses import field

from ipc import curve
from marianne.records import dataclass
from marianne.run import procfs


@dataclass(frozen=True, slots=True)
class Proof:
    """``secret`` is the key, ``public`` what workers know it by; None where ZeroMQ was built
    without CURVE. ``keeper`` is the heart that passes the key to the next conductor, by pid and
    start time; None: it ends with this one."""

    secret: bytes | None = field(default=None, repr=False)
    public: bytes | None = None
    keeper: tuple[int, int] | None = None


def proof_of_conductor(key: bytes | None, heart_pid: int | None) -> Proof:
    """By the heart's key, or a new one that nobody keeps."""
    if not curve.available():
        return Proof()
    start = procfs.start_time(heart_pid) if heart_pid is not None else None
    if key is None or heart_pid is None or start is None:
        key = curve.new_secret()
        return Proof(key, curve.public_of(key))
    return Proof(key, curve.public_of(key), (heart_pid, start))

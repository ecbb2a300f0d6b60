"""Worker processes: what people call them, and by what name each is known on the link.

Any process of this user can connect to the workers' socket, and a ROUTER lets whoever comes under a
known name take its connection over. So the name is the secret: random, told to the process through
the pipe that its settings come through, and in no command line, environment or file. The record of
a worker has the name's hash, its *proof*; by it the next conductor knows the worker when it
connects, and can answer it.

A worker tells its name to nobody but the conductor, which proves itself first
(:mod:`marianne.daemon.shared.proof`). Workers of an older version, and all where ZeroMQ has no
CURVE, tell it to whoever listens; they have a socket of their own (``plain``), so that nobody gets
in there under the name of another.
"""

from __future__ import annotations

import hashlib
import os
import threading
from collections import Counter
from typing import TYPE_CHECKING

from marianne.run.setup import incarnation_of

if TYPE_CHECKING:
    from actors.process import Process
    from marianne.state.models import JobRow

PROCESS_NAME = "marianne-worker "


GUARDED = b"guarded-"
"""What the names of those begin with that ask the conductor for its proof."""

GUARDED_BYTES, PLAIN_BYTES = 20, 16
"""The length of a proof says which kind the worker is, for who has nothing but its record."""

STRANGERS = 1_000
"""So many names are kept of those who connected and are not known yet."""


def job_of(process: Process) -> str | None:
    """The id of the job that a worker process works for; None for another process."""
    name = process.name
    return name.removeprefix(PROCESS_NAME) if name.startswith(PROCESS_NAME) else None


def proof_of(name: bytes) -> bytes:
    """What is recorded of a name, from which nobody gets the name back."""
    size = PLAIN_BYTES if is_plain(name) else GUARDED_BYTES
    return hashlib.blake2b(name, digest_size=size, person=b"marianne-worker").digest()


def is_plain(name: bytes) -> bool:
    """Whether the process of this name asks nobody for a proof."""
    return not name.startswith(GUARDED)


def recorded_proof(job: JobRow) -> bytes:
    """The proof of a job's recorded worker. Workers that were recorded without one are older, and
    have the name that anybody can make of pid and start time."""
    if job.worker_link is not None:
        return job.worker_link
    return proof_of(incarnation_of(job.worker_pid or 0, job.worker_start_time).encode())


class Peers:
    """The names that are ours. Any thread; the link's thread asks with each message."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._jobs: dict[bytes, str] = {}  # by proof; "" for one that has no job yet
        self._proofs: dict[bytes, bytes] = {}  # by name, of those that we know
        self._names: dict[bytes, bytes] = {}  # by proof
        self._met: dict[bytes, bytes] = {}  # names by proof of the last strangers
        self._early: Counter[bytes] = Counter()  # by proof, what they said
        self.refused = 0
        """Messages of strangers, and such of workers that made no sense."""

    def new(self, *, guarded: bool = True) -> bytes:
        """A name for a process that is about to be started."""
        name = (GUARDED if guarded else b"worker-") + os.urandom(16).hex().encode()
        with self._lock:
            self._know(name, proof_of(name), "")
        return name

    def expect(self, proof: bytes, job_id: str) -> None:
        """The worker of this proof works for this job. It may have connected before: the next
        conductor's socket is there before its actors are."""
        with self._lock:
            self._jobs[proof] = job_id
            name = self._met.pop(proof, None)
            if name is not None:
                self._know(name, proof, job_id)
                self.refused -= self._early.pop(proof, 0)  # it was early, and no stranger

    def forget(self, proof: bytes) -> None:
        """It is gone, and whoever uses its name from now on is a stranger."""
        with self._lock:
            self._jobs.pop(proof, None)
            name = self._names.pop(proof, None)
            if name is not None:
                self._proofs.pop(name, None)

    def job_of(self, name: bytes) -> str | None:
        """The job that the process of this name works for; empty while it waits for one, None for
        a stranger."""
        proof = self._proofs.get(name)
        if proof is not None:
            return self._jobs.get(proof)
        proof = proof_of(name)
        with self._lock:
            job_id = self._jobs.get(proof)
            if job_id is not None:
                self._know(name, proof, job_id)
            else:
                self._met[proof] = name
                if len(self._met) > STRANGERS:
                    oldest = next(iter(self._met))
                    del self._met[oldest]
                    self._early.pop(oldest, None)
        return job_id

    def refuse(self, name: bytes) -> int:
        """Counts a message; returns how many there were."""
        proof = proof_of(name)
        with self._lock:
            self.refused += 1
            if proof in self._met:
                self._early[proof] += 1
            return self.refused

    def name_of(self, proof: bytes) -> bytes:
        """The name to send to; empty until the process has connected to this conductor."""
        return self._names.get(proof, b"")

    def _know(self, name: bytes, proof: bytes, job_id: str) -> None:
        self._jobs[proof], self._proofs[name], self._names[proof] = job_id, proof, name

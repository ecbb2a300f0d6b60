"""A node's part of a transfer: what its warden's porter does, in blocking steps.

``job_dir`` is the job's directory on the node. An attempt works in ``work/<sheet>.<attempt>`` in
it, which has what was brought and nothing else.
"""

from __future__ import annotations

import os
import shutil
from typing import Any

from marianne.executors.staging.names import checked
from marianne.executors.staging.stream import Channel, Message, Receiver, Sender
from marianne.executors.staging.tree import Tree
from marianne.run.outputs import Files, work_dir

OF_JOB = ("plan", "env")
PRINTED = ("prompt", "out", "err")
"""What of an attempt's files comes to the conductor's."""


def carry(channel: Channel, job_dir: str, order: Message) -> None:
    """Carries out what the bridge has asked for: ``way`` is job, in or out. Raises what the
    transfer raises."""
    {"job": take_job, "in": take_inputs, "out": give_back}[order["way"]](channel, job_dir, order)


def take_job(channel: Channel, job_dir: str, order: Message) -> None:
    """What the job's worker reads: the plan, the environment."""
    os.makedirs(os.path.join(job_dir, "sheets"), mode=0o700, exist_ok=True)
    parts: dict[str, str] = {}

    def role(head: Message) -> int:
        name = str(head["role"])
        if name not in OF_JOB:
            raise KeyError(name)
        parts[name] = os.path.join(job_dir, f"{name}.part")
        return _opened(parts[name])

    Receiver(channel, job_dir, 0, lambda path: False, role).receive()
    for name, part in parts.items():
        os.replace(part, os.path.join(job_dir, name))
    channel.send({"what": "stored"})


def take_inputs(channel: Channel, job_dir: str, order: Message) -> None:
    """The files that the attempt reads, and what earlier sheets have printed if it asks for it."""
    place = work_dir(job_dir, order["num"], order["attempt"])
    shutil.rmtree(place, ignore_errors=True)
    os.makedirs(place, mode=0o700)
    parts: dict[str, str] = {}

    def role(head: Message) -> int:
        num, attempt = map(int, head["role"])
        path = Files(job_dir, num, attempt).out
        # Several attempts may be brought the same at one time.
        parts[f"{path}.{os.getpid()}.part"] = path
        return _opened(f"{path}.{os.getpid()}.part")

    Receiver(channel, place, order["limit"], lambda path: bool(checked(path)), role).receive()
    for part, path in parts.items():
        os.replace(part, path)
    channel.send({"what": "stored"})


def give_back(channel: Channel, job_dir: str, order: Message) -> None:
    """What the attempt printed, from where the conductor has it, and the files that it made if
    there is a word of any (``patterns``)."""
    num, attempt = order["num"], order["attempt"]
    sender = Sender(channel, order["limit"], order["beyond"])
    files = Files(job_dir, num, attempt)
    for name in PRINTED:
        path = getattr(files, name)
        if os.path.exists(path):
            head: dict[str, Any] = {"role": name, "at": int(order["have"].get(name, 0))}
            sender.file(path, head)
    missing: list[str] = []
    if order["patterns"]:
        tree = Tree(work_dir(job_dir, num, attempt), order["patterns"], "outputs")
        sender.tree(tree)
        missing = tree.missing
    sender.done(missing=missing)


def _opened(path: str) -> int:
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
    return os.open(path, flags, 0o600)

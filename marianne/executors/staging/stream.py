"""Files on their way: who sends, who receives. Each is a straight line of blocking steps.

From the sender (``what``): ``directory`` (a ``path``), ``file`` (a ``path``, or a ``role`` where it
is no file of the workspace; ``at`` which byte it goes on, ``from`` which one of the sender's if
that is another, ``mode``, ``mtime_ns``), ``piece`` (its next ``data``), ``end`` (its ``digest``),
``done``. From the receiver: ``took`` (so much, which may be sent anew), ``stored`` (all is kept).
From both: ``refused`` (it can never be done), ``failed`` (the machine cannot do it now), both with
``why``.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable
from typing import Any, Protocol

from marianne.executors.staging.names import StagingError, checked
from marianne.executors.staging.tree import Tree
from marianne.run.passing import words
from marianne.run.spawn import PASSING

Message = dict[str, Any]

PIECE = 128 * 1024
WINDOW = 512 * 1024
"""Bytes that a sender is ahead of what was taken, at most: a beat waits behind no more of each
transfer."""

COST = 256
"""What a message counts beside its data: many small files are bounded as well."""


class GoneError(Exception):
    """The connection ended under it: nothing was said, and all begins anew."""


class TransferError(Exception):
    """The machine could not do it now; it may be tried again."""


class Channel(Protocol):
    """One transfer's messages to the other side and from it, in order."""

    def send(self, message: Message) -> None:
        """Sends or queues one. Raises GoneError."""

    def receive(self) -> Message:
        """The next one, waited for. Raises GoneError."""


def in_words(error: OSError) -> StagingError | TransferError:
    """What an error of the machine's means for the transfer."""
    kind = TransferError if error.errno in PASSING else StagingError
    return kind(words(error))


def told(error: Exception) -> Message:
    """Of an error what the other side hears."""
    what = "refused" if isinstance(error, StagingError) else "failed"
    why = str(error) or type(error).__name__
    return {"what": what, "why": why.encode(errors="backslashreplace").decode()}


def raise_if_over(message: Message) -> None:
    """Raises what the other side has said."""
    if message.get("what") == "refused":
        raise StagingError(str(message.get("why")))
    if message.get("what") == "failed":
        raise TransferError(str(message.get("why")))


class Sender:
    """Sends at most ``limit`` bytes of files of the workspace; ``beyond`` says it of more."""

    def __init__(self, channel: Channel, limit: int, beyond: str) -> None:
        self._channel, self._left, self._beyond = channel, limit, beyond
        self._ahead = 0

    def tree(self, tree: Tree, *, names_only: bool = False) -> None:
        """All of it; with ``names_only`` the files are empty ones. Raises StagingError,
        TransferError, GoneError, OSError."""
        for entry in tree.entries():
            if entry.source is None:
                self._say({"what": "directory", "path": os.fsencode(entry.path)})
            else:
                head = {"path": os.fsencode(entry.path)}
                self.file(entry.source, head, most=0 if names_only else None, counts=True)

    def file(
        self, source: str, head: Message, most: int | None = None, *, counts: bool = False
    ) -> None:
        """One file, from byte ``at`` of its head on, ``most`` bytes of it at most."""
        descriptor = os.open(source, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(descriptor, "rb", buffering=0) as file:
            found = os.fstat(descriptor)
            if not stat.S_ISREG(found.st_mode):
                raise StagingError(f"{source} is no regular file")
            facts = {"mode": found.st_mode & 0o777, "mtime_ns": found.st_mtime_ns, "at": 0}
            self._say({"what": "file", **facts, **head})
            file.seek(int(head["from"] if "from" in head else head.get("at", 0)))
            digest = hashlib.sha256()
            while data := file.read(PIECE if most is None else min(PIECE, most)):
                most = None if most is None else most - len(data)
                if counts:
                    self._left -= len(data)
                    if self._left < 0:
                        raise StagingError(self._beyond)
                digest.update(data)
                self._say({"what": "piece", "data": data}, len(data))
            self._say({"what": "end", "digest": digest.digest()})

    def done(self, **facts: Any) -> None:
        """All was sent; returns when the other side keeps it."""
        self._channel.send({"what": "done", **facts})
        while self._hear()["what"] != "stored":
            pass

    def _say(self, message: Message, size: int = 0) -> None:
        while self._ahead > WINDOW:
            self._hear()
        self._ahead += size + COST
        self._channel.send(message)

    def _hear(self) -> Message:
        message = self._channel.receive()
        raise_if_over(message)
        if message["what"] == "took":
            self._ahead -= int(message["size"])
        return message


class Receiver:
    """Writes what comes below ``place``, a fresh directory: only what ``wanted`` says yes to, at
    most ``limit`` bytes. ``role`` opens the files that have one, and says whether it knows them;
    they are at most ``role_limit`` bytes long. With ``keep`` each is on disk before the sender
    hears that it is stored, and has the time of its coming."""

    def __init__(
        self,
        channel: Channel,
        place: str,
        limit: int,
        wanted: Callable[[str], bool],
        role: Callable[[Message], int],
        *,
        role_limit: int = 2**40,
        keep: bool = False,
    ) -> None:
        self._channel, self._place, self._left = channel, place, limit
        self._role_limit = role_limit
        self._wanted, self._role, self._keep = wanted, role, keep
        self._folders: set[str] = set()

    def receive(self) -> Message:
        """Until the sender is done; returns his last message. Raises StagingError, TransferError,
        GoneError, OSError."""
        while True:
            message = self._next()
            what = message["what"]
            if what == "done":
                for folder in sorted(self._folders) if self._keep else ():
                    _sync_folder(folder)
                return message
            if what == "directory":
                os.makedirs(self._path(message), exist_ok=True)
            elif what == "file":
                self._file(message)
            else:
                raise TransferError(f"a transfer that makes no sense: {what!r:.80}")

    def _next(self) -> Message:
        message = self._channel.receive()
        raise_if_over(message)
        if message["what"] != "done":
            size = len(message.get("data", b"")) + COST
            self._channel.send({"what": "took", "size": size})
        return message

    def _path(self, head: Message) -> str:
        path = checked(os.fsdecode(head["path"]))
        if not self._wanted(path):
            raise StagingError(f"{path!r:.200} is not among what the sheet declares")
        full = os.path.join(self._place, path)
        if self._keep:
            folder = full if head["what"] == "directory" else os.path.dirname(full)
            while folder not in self._folders and len(folder) >= len(self._place):
                self._folders.add(folder)
                folder = os.path.dirname(folder)
        return full

    def _file(self, head: Message) -> None:
        if "role" in head:
            self._fill(self._role(head), head, counts=False)
            return
        full = self._path(head)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(full, flags, 0o600)
        self._fill(descriptor, head, counts=True)

    def _fill(self, descriptor: int, head: Message, *, counts: bool) -> None:
        digest, at = hashlib.sha256(), int(head["at"])
        with open(descriptor, "wb", buffering=0):
            while (message := self._next())["what"] == "piece":
                data = message["data"]
                if counts:
                    self._left -= len(data)
                    if self._left < 0:
                        raise StagingError("more than was said, and than may be")
                elif not 0 <= at <= self._role_limit - len(data):
                    raise StagingError("more was printed than is kept")
                digest.update(data)
                at += _write(descriptor, data, at)
            if message["what"] != "end" or message["digest"] != digest.digest():
                raise TransferError("a file came damaged, or not whole")
            if counts:
                os.fchmod(descriptor, int(head["mode"]) & 0o777 | 0o600)
            if counts and not self._keep:
                os.utime(descriptor, ns=(int(head["mtime_ns"]), int(head["mtime_ns"])))
            if self._keep:
                os.fsync(descriptor)


def _write(descriptor: int, data: bytes, at: int) -> int:
    rest, begin = memoryview(data), at
    while rest:
        written = os.pwrite(descriptor, rest, at)
        at, rest = at + written, rest[written:]
    return at - begin


def _sync_folder(folder: str) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

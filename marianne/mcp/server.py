"""The line: messages come on one descriptor and go on another, a JSON value a line."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from typing import Any, Final

from marianne.cli.render.out import json_text
from marianne.mcp.calls import Calls, Reply
from marianne.mcp.dialogue import Dialogue, ToCall, cancelled
from marianne.mcp.messages import INVALID_REQUEST, Id, Map, Message, Wrong, parse, read, result

LINE_BYTES: Final = 16 * 2**20
"""A longer message is refused: twice what the conductor takes."""

BATCH: Final = 100
PIECE: Final = 1 << 16

LAST_SECONDS: Final = 0.8
"""After the end of input, for the answers that are under way; clients kill us after two."""


class Server:
    """Serves one client until it closes its end. Calls are answered in the order they end."""

    def __init__(self, incoming: int, outgoing: int, dialogue: Dialogue, calls: Calls) -> None:
        self._incoming = incoming
        self._outgoing = outgoing
        self._dialogue = dialogue
        self._calls = calls
        self._writing = threading.Lock()
        self._unread = False

    def serve(self) -> None:
        """Returns when there is no more input and what was asked is answered, or was given up.

        Raises BrokenPipeError when nobody reads the answers.
        """
        for line in self._lines():
            if line is None:
                text = f"a message of over {LINE_BYTES // 2**20} MiB"
                self._send(Wrong(INVALID_REQUEST, text).answer())
            elif line.strip():
                self._take(line)
            if self._unread:
                break
        self._calls.finish(LAST_SECONDS)
        if self._unread:
            raise BrokenPipeError

    def _take(self, line: bytes) -> None:
        try:
            value = parse(line)
        except Wrong as wrong:
            self._send(wrong.answer())
            return
        if not isinstance(value, list):
            self._handle(value, self._send)
        elif not (self._dialogue.takes_batches and 0 < len(value) <= BATCH):
            text = f"one message a line (up to {BATCH} in a batch of revision 2025-03-26)"
            self._send(Wrong(INVALID_REQUEST, text).answer())
        else:
            batch = _Batch(len(value), self._send)
            for one in value:
                self._handle(one, batch.add)

    def _handle(self, value: Any, reply: Reply) -> None:
        """Calls ``reply`` exactly once, now or later."""
        id_: Id | None = None
        try:
            message = read(value)
            if message is None or message.id is None:
                self._hear(message)
                reply(None)
                return
            id_ = message.id
            outcome = self._dialogue.answer(message)
            if isinstance(outcome, ToCall):
                self._calls.begin(id_, outcome, reply)
                return
        except Wrong as wrong:
            reply(wrong.answer(id_))
            return
        reply(result(id_, outcome))

    def _hear(self, notification: Message | None) -> None:
        which = None if notification is None else cancelled(notification)
        if which is not None:
            self._calls.cancel(which)

    def _send(self, value: Map | list[Map] | None) -> None:
        if value is None:
            return
        data = memoryview(json_text(value).encode("ascii") + b"\n")
        with self._writing:
            try:
                while data:
                    data = data[os.write(self._outgoing, data) :]
            except OSError:  # also in a call's thread, which has nobody to tell
                self._unread = True

    def _lines(self) -> Iterator[bytes | None]:
        """Each line, also a last one without its end; None for one that is too long."""
        rest, skipping = bytearray(), False
        while piece := os.read(self._incoming, PIECE):
            *ends, last = piece.split(b"\n")
            for end in ends:
                if not skipping:
                    yield bytes(rest + end)
                rest, skipping = bytearray(), False
            if not skipping:
                rest += last
            if len(rest) > LINE_BYTES:
                rest, skipping = bytearray(), True
                yield None
        if rest:
            yield bytes(rest)


class _Batch:
    """The answers to a batch, sent as one when the last is there."""

    def __init__(self, size: int, send: Any) -> None:
        self._left = size
        self._send = send
        self._answers: list[Map] = []
        self._lock = threading.Lock()

    def add(self, answer: Map | None) -> None:
        """One message is answered, or needs no answer."""
        with self._lock:
            self._left -= 1
            if answer is not None:
                self._answers.append(answer)
            complete = self._left == 0 and self._answers
        if complete:
            self._send(self._answers)

"""Transfers of one node, as the bridge's loop has them: a thread each, a few of them at one time.

What a thread says goes out through the node's connection; what comes for it waits in its queue,
which the window bounds.
"""

from __future__ import annotations

import asyncio
import itertools
import queue
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from marianne.executors.staging.names import StagingError
from marianne.executors.staging.stream import GoneError, Message, TransferError, in_words, told

AT_ONCE = 4
"""Transfers of one node: further ones wait."""

MOST_WAITING = 1_000
"""Messages for one thread. A node that sends more has no window, and makes no sense."""


class ThreadChannel:
    """As :class:`marianne.executors.staging.stream.Channel`, of a thread beside the loop."""

    def __init__(self, say: Callable[[Message], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._say = say
        self._inbox: queue.SimpleQueue[Message | None] = queue.SimpleQueue()
        self._gone = False

    def put(self, message: Message | None) -> None:
        """From the loop: it came; None: nothing more will."""
        self._gone = self._gone or message is None
        self._inbox.put(message)

    @property
    def waiting(self) -> int:
        """How many messages wait for the thread."""
        return self._inbox.qsize()

    def send(self, message: Message) -> None:
        """From the thread."""
        if self._gone:
            raise GoneError
        try:
            self._loop.call_soon_threadsafe(self._say, message)
        except RuntimeError as error:  # the loop is closed
            raise GoneError from error

    def receive(self) -> Message:
        """From the thread."""
        message = None if self._gone and self._inbox.empty() else self._inbox.get()
        if message is None:
            raise GoneError
        return message


class Transfers:
    """Of one connection to a node; ``post`` sends to its warden."""

    def __init__(self, post: Callable[[Message], None]) -> None:
        self._post = post
        self._numbers = itertools.count(1)
        self._channels: dict[int, tuple[Message, ThreadChannel]] = {}  # with their order
        self._room = asyncio.Semaphore(AT_ONCE)
        self._over = False

    async def run(self, order: Message, work: Callable[[ThreadChannel], Any]) -> Any:
        """Has the node's warden carry out the order, and does this side's part in a thread; returns
        what that returned. Raises StagingError, TransferError, GoneError."""
        async with self._room:
            if self._over:
                raise GoneError
            number = next(self._numbers)
            channel = ThreadChannel(lambda message: self._say(number, message))
            self._channels[number] = order, channel
            self._post({"kind": "stage", "transfer": number, "begin": order})
            try:
                return await in_thread(lambda: _told(channel, work))
            finally:
                del self._channels[number]

    def hear(self, message: Message) -> None:
        """From the node."""
        _, channel = self._channels.get(message["transfer"], ({}, None))
        if channel is not None:
            channel.put(message["message"] if channel.waiting < MOST_WAITING else None)

    def close(self) -> None:
        """The connection is gone: all end."""
        self._over = True
        for _, channel in self._channels.values():
            channel.put(None)

    def end(self, job_id: str, attempt: tuple[int, int] | None = None) -> None:
        """What is carried for this job, or for this attempt of it, is not wanted any more."""
        for number, (order, channel) in self._channels.items():
            if order["job_id"] == job_id and attempt in (None, (order["num"], order["attempt"])):
                channel.put(None)
                self._say(number, {"what": "failed", "why": "it is not wanted any more"})

    def _say(self, number: int, message: Message) -> None:
        if not self._over:
            self._post({"kind": "stage", "transfer": number, "message": message})


def _told(channel: ThreadChannel, work: Callable[[ThreadChannel], Any]) -> Any:
    """What is wrong is told to the other side, too."""
    try:
        try:
            return work(channel)
        except OSError as error:
            raise in_words(error) from error
        except (KeyError, TypeError, ValueError) as error:
            raise TransferError(f"a transfer that makes no sense: {error!r}") from error
    except (StagingError, TransferError) as error:
        channel.send(told(error))
        raise


async def in_thread(work: Callable[[], Any]) -> Any:
    """What it returns or raises. The thread keeps no process alive: a file system may hang."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Any] = loop.create_future()

    def settle(value: Any, error: BaseException | None) -> None:
        if future.done():
            return
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(value)

    def main() -> None:
        value, error = None, None
        try:
            value = work()
        except BaseException as found:  # noqa: BLE001 - raised where it is waited for
            error = found
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(settle, value, error)

    threading.Thread(target=main, daemon=True).start()
    return await future

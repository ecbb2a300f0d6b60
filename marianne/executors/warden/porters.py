"""The porters of a warden: a process for each transfer of files, which a large one keeps busy.

They begin and end with an order of the bridge; when the connection is gone they are killed, and
what they had is taken for nothing.
"""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Callable
from typing import NoReturn

from ipc.errors import CodecError
from marianne.executors.frames import Frames, Message, framed
from marianne.executors.staging.names import StagingError
from marianne.executors.staging.node import carry
from marianne.executors.staging.stream import GoneError, TransferError, in_words, told
from marianne.executors.stream_line import READ, StreamLine
from marianne.executors.warden.child import keep_only
from marianne.run import procfs
from marianne.run.complain import complain_of_error
from marianne.run.loop import Loop


class SocketChannel:
    """As :class:`marianne.executors.staging.stream.Channel`, over the porter's socket."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._frames = Frames()
        self._waiting: list[Message] = []

    def send(self, message: Message) -> None:
        """Waits while the warden is behind."""
        try:
            self._socket.sendall(framed(message))
        except OSError as error:
            raise GoneError from error

    def receive(self) -> Message:
        """The next one."""
        while not self._waiting:
            try:
                data = self._socket.recv(READ)
                self._waiting = self._frames.feed(data)
            except (OSError, CodecError) as error:
                raise GoneError from error
            if not data:
                raise GoneError
        return self._waiting.pop(0)


class Porters:
    """Of one warden, in its loop; ``tell`` sends to the bridge."""

    def __init__(self, loop: Loop, tell: Callable[[Message], None]) -> None:
        self._loop, self._tell = loop, tell
        self._lines: dict[int, tuple[StreamLine, int]] = {}  # by transfer, with the process

    def hear(self, message: Message, job_dir: Callable[[str], str]) -> None:
        """From the bridge: an order, or what is for one that is carried out."""
        number = int(message["transfer"])
        if "begin" in message:
            order = message["begin"]
            self._begin(number, job_dir(order["job_id"]), order)
        elif number in self._lines:
            self._lines[number][0].send(message["message"])

    def _begin(self, number: int, job_dir: str, order: Message) -> None:
        try:
            ours, theirs = socket.socketpair()
            line = StreamLine(ours)
            pid = os.fork()
        except OSError as error:
            self._say(number, told(TransferError(f"no process for it: {error.strerror}")))
            return
        if pid == 0:
            _work(theirs, job_dir, order)
        theirs.close()
        self._lines[number] = line, pid
        self._loop.add_reader(line.fileno(), lambda: self._heard(number))

    def _heard(self, number: int) -> None:
        line, _ = self._lines[number]
        for message in line.drain():
            self._say(number, message)
        if line.closed:
            # One that has said how it ended is known there no more.
            self._say(number, told(TransferError("the node's part of it ended before it was done")))
            self._drop(number)

    def _drop(self, number: int) -> None:
        line, _ = self._lines.pop(number)
        self._loop.remove_reader(line.fileno())
        line.close()

    def hang_up(self) -> None:
        """The connection is gone."""
        for number, (_, pid) in list(self._lines.items()):
            os.kill(pid, signal.SIGKILL)  # our child, unreaped as long as its line is here
            self._drop(number)

    def reaped(self, pid: int) -> None:
        """A process of this number has ended, and may be another's from now on."""
        for number, (line, of_porter) in list(self._lines.items()):
            if of_porter == pid:
                self._heard(number)
                if number in self._lines and not line.closed:
                    self._drop(number)

    def _say(self, number: int, message: Message) -> None:
        self._tell({"kind": "stage", "transfer": number, "message": message})


def _work(connection: socket.socket, job_dir: str, order: Message) -> NoReturn:
    """The porter: it must never go on as a warden."""
    try:
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD):
            signal.signal(number, signal.SIG_DFL)
        signal.set_wakeup_fd(-1)
        keep_only(connection.fileno())
        procfs.take_name("marianne-porter")
        _carry(SocketChannel(connection), job_dir, order)
    except GoneError:
        pass
    except BaseException:  # noqa: BLE001
        complain_of_error()
    finally:
        os._exit(0)


def _carry(channel: SocketChannel, job_dir: str, order: Message) -> None:
    try:
        carry(channel, job_dir, order)
    except (StagingError, TransferError) as error:
        channel.send(told(error))
    except OSError as error:
        channel.send(told(in_words(error)))

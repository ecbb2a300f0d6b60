"""Both ends of a transfer in one process: what one sends the other receives."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from marianne.executors.staging.names import StagingError
from marianne.executors.staging.stream import GoneError, TransferError, in_words, told

PATIENCE = 60.0


class End:
    """One end. ``most`` is how many bytes were on their way at one time."""

    def __init__(self) -> None:
        self.inbox: queue.Queue[dict[str, Any] | None] = queue.Queue()
        self.other: End = self
        self.most = self._waiting = 0

    def send(self, message: dict[str, Any]) -> None:
        self.other.inbox.put(message)
        self.other._waiting += len(message.get("data", b""))
        self.other.most = max(self.other.most, self.other._waiting)

    def receive(self) -> dict[str, Any]:
        message = self.inbox.get(timeout=PATIENCE)
        if message is None:
            raise GoneError
        self._waiting -= len(message.get("data", b""))
        return message

    def cut(self) -> None:
        """The connection is gone, for both."""
        self.inbox.put(None)
        self.other.inbox.put(None)


def ends() -> tuple[End, End]:
    """Connected with each other."""
    one, other = End(), End()
    one.other, other.other = other, one
    return one, other


def carry(
    sends: Callable[[End], Any], receives: Callable[[End], Any]
) -> tuple[Exception | None, Exception | None]:
    """Plays both sides, each in a thread, as porter and bridge do; returns what each raised."""
    ours, theirs = ends()
    found: list[Exception | None] = [None, None]

    def play(place: int, work: Callable[[End], Any], end: End) -> None:
        try:
            work(end)
        except (StagingError, TransferError) as error:
            end.send(told(error))
            found[place] = error
        except OSError as error:
            end.send(told(in_words(error)))
            found[place] = error
        except GoneError as error:
            found[place] = error

    threads = [
        threading.Thread(target=play, args=(0, sends, ours), daemon=True),
        threading.Thread(target=play, args=(1, receives, theirs), daemon=True),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
        assert not thread.is_alive()
    return found[0], found[1]


def files(root: Path) -> dict[str, bytes]:
    """All files below a directory, by name, with their content."""
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }

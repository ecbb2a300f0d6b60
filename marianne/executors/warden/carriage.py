"""What a warden has to do with files: porters, what is followed, what may go."""

from __future__ import annotations

from collections.abc import Callable

from marianne.executors.frames import Message
from marianne.executors.staging.following import LOOK_SECONDS, Followed
from marianne.executors.staging.names import StagingError
from marianne.executors.warden.estate import Estate
from marianne.executors.warden.porters import Porters
from marianne.run.loop import Loop


class Carriage:
    """In the warden's loop. To it (``kind``): ``stage`` (an order for a porter, or a message for
    one), ``follow`` and ``unfollow`` (an attempt's output is wanted while it runs), ``output_took``
    (the bridge has written so much of it), ``forget`` (an attempt's files may go). From it:
    ``stage``, ``output``."""

    def __init__(self, loop: Loop, tell: Callable[[Message], None], estate: Estate) -> None:
        self._loop, self._estate = loop, estate
        self._porters = Porters(loop, tell)
        self._followed = Followed(tell)
        self._looks = False

    def hear(self, message: Message) -> None:
        """Raises KeyError, TypeError and ValueError for one that makes no sense."""
        kind = message["kind"]
        try:
            if kind == "stage":
                self._porters.hear(message, self._estate.job_dir)
            elif kind == "follow":
                self._followed.follow(self._estate.job_dir(message["job_id"]), message)
                self._look_later()
            elif kind == "unfollow":
                self._followed.drop(message)
            elif kind == "output_took":
                self._followed.took(int(message["size"]))
            elif kind == "forget":
                self._estate.forget(message["job_id"], message["num"], message["attempt"])
        except StagingError as error:
            raise ValueError(str(error)) from error

    def hang_up(self) -> None:
        """The connection is gone."""
        self._porters.hang_up()
        self._followed.clear()

    def reaped(self, pid: int) -> None:
        """A child of the warden has ended."""
        self._porters.reaped(pid)

    def _look_later(self) -> None:
        if not self._looks and self._followed.any:
            self._looks = True
            self._loop.call_later(LOOK_SECONDS, self._look)

    def _look(self) -> None:
        self._looks = False
        self._followed.look()
        self._look_later()

"""A child that does nothing before it is continued: what a test does to it comes first."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from typing import Any


def stopped(target: Callable[..., object], arguments: tuple[Any, ...]) -> None:
    os.kill(os.getpid(), signal.SIGSTOP)
    target(*arguments)

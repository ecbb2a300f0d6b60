"""A child that does nothing before it is continued: what a test does to it comes first."""

from __future__ import annotations

import os
import signal
from importlib import import_module
from typing import Any


def stopped(target: str, arguments: tuple[Any, ...]) -> None:
    os.kill(os.getpid(), signal.SIGSTOP)
    module, _, name = target.partition(":")
    getattr(import_module(module), name)(*arguments)

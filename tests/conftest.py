"""What all tests share can be imported from this directory."""

from __future__ import annotations

import gc
import signal
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# An example may take as long as a loaded machine makes it take.
settings.register_profile("loaded", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("loaded")

# Whoever started us (nohup, a shell's &) may ignore these, and all that we start would too.
for number in (signal.SIGHUP, signal.SIGQUIT):
    signal.signal(number, signal.SIG_DFL)
signal.signal(signal.SIGINT, signal.default_int_handler)

sys.path.insert(0, str(Path(__file__).parent))

# What is collected stays to the end: to look through it for garbage takes as long as to collect it.
gc.disable()


def pytest_collection_finish(session: pytest.Session) -> None:
    gc.freeze()
    gc.unfreeze()  # all of it is of the oldest generation now
    gc.enable()

"""One heap for all threads, where the C library can."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
from types import SimpleNamespace

import pytest

from marianne.daemon.processes.arena import share_one_heap

PROGRAM = """
import ctypes, sys, threading
from marianne.daemon.processes.arena import share_one_heap
if sys.argv[1] == "share" and not share_one_heap():
    sys.exit("cannot")
all_there = threading.Barrier(4)
def take():
    kept = bytearray(10_000)  # too large for Python's own pools, too small for a mapping of its own
    all_there.wait()
threads = [threading.Thread(target=take) for _ in range(4)]
for thread in threads: thread.start()
for thread in threads: thread.join()
libc = ctypes.CDLL(None)
libc.malloc_info(0, ctypes.c_void_p.in_dll(libc, "stdout"))
libc.fflush(None)
"""
"""Says what malloc_info(3) does: an element for each arena."""


def arenas(how: str) -> int:
    env = {k: v for k, v in os.environ.items() if not k.startswith(("MALLOC_", "GLIBC_"))}
    command = [sys.executable, "-c", PROGRAM, how]
    said = subprocess.run(command, check=True, capture_output=True, env=env).stdout
    return said.count(b"<heap nr=")


def test_threads_have_no_heaps_of_their_own() -> None:
    assert arenas("share") == 1 < arenas("each its own")


def test_another_c_library_is_let_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda name: SimpleNamespace())
    assert not share_one_heap()

"""All threads of the conductor share one heap.

The C library gives each of the first threads a heap of its own (an arena), so that they need not
wait for each other. Ours stand on one core and mostly behind Python's lock: what the heaps bring
them is that each keeps what it has freed, a twentieth of the conductor's memory at rest.
"""

from __future__ import annotations

import ctypes

_M_ARENA_MAX = -8  # malloc.h
"""glibc's name for how many there may be."""


def share_one_heap() -> bool:
    """For this process, before its first thread; returns whether the C library can (mallopt(3))."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    return bool(mallopt is not None and mallopt(_M_ARENA_MAX, 1))

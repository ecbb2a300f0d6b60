"""Imported by the forkserver alone: nothing is blocked in it, nor in the processes that it starts.

A mask of blocked signals is inherited over fork(2) and execve(2). A thread that blocks signals,
for another waits for them, may be the one that finds the forkserver dead and starts the next: that
one would never hear SIGCHLD, so its children's ends would be noticed late and no zombie of theirs
collected; and what a child runs could not be asked to end.
"""

from __future__ import annotations

import signal

signal.pthread_sigmask(signal.SIG_SETMASK, ())

"""``python -m marianne.executors.slurm.pilot``: what a pilot's batch script becomes.

It has the warden of its allocation below it, starts another when that dies, and ends all in time:
when Slurm wants the allocation back (SIGTERM), and when the slurmstepd above it is gone, for then
Slurm takes the allocation for free. Its settings are a line of JSON on its standard input:
``parent``, ``mark`` and ``warden``, the warden's own (what the allocation knows is added here).
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ipc import codec
from marianne.executors.node_directory import ELSEWHERE, directory_of, in_words
from marianne.run import procfs
from marianne.run.complain import complain

LOOK_SECONDS = 1.0
AGAIN_SECONDS = 2.0
END_MARGIN = 5.0
"""Seconds beyond the grace of sheets until a warden that does not end is killed."""

DEVICES = frozenset(
    {
        "CUDA_VISIBLE_DEVICES",
        "GPU_DEVICE_ORDINAL",
        "ROCR_VISIBLE_DEVICES",
        "ZE_AFFINITY_MASK",
    }
)
"""Variables in which Slurm names the devices of an allocation."""

SIGNALS = frozenset({signal.SIGTERM, signal.SIGINT, signal.SIGCHLD})


class Pilot:
    """``directory`` is the warden's."""

    def __init__(self, directory: Path, grace: float) -> None:
        self._directory = directory
        self._grace = grace
        self._above = os.getppid()

    def run(self) -> int:
        """Until the warden is wanted no more; returns the exit code."""
        while True:
            warden = self._start()
            why = self._wait(warden)
            if why is not None:
                complain(f"{why}: all that runs is ended")
                return self._end(warden)
            if warden.returncode == 0:
                return 0
            complain(f"the warden ended with {warden.returncode}: another is started")
            # It is awaited, not slept through: the end may be wanted meanwhile.
            if signal.sigtimedwait(SIGNALS - {signal.SIGCHLD}, AGAIN_SECONDS) is not None:
                return 0

    def _start(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-m", "marianne.executors.warden", str(self._directory)],
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )

    def _wait(self, warden: subprocess.Popen[bytes]) -> str | None:
        """Why all is to end; None: the warden has ended."""
        while warden.poll() is None:
            got = signal.sigtimedwait(SIGNALS, LOOK_SECONDS)
            if got is not None and got.si_signo != signal.SIGCHLD:
                return f"Slurm wants the allocation back ({signal.Signals(got.si_signo).name})"
            if os.getppid() != self._above:
                return "the slurmstepd of this allocation is gone"
        return None

    def _end(self, warden: subprocess.Popen[bytes]) -> int:
        warden.terminate()
        try:
            warden.wait(self._grace + END_MARGIN)
        except subprocess.TimeoutExpired:
            complain("the warden does not end, and is killed")
            warden.kill()  # its workers end their sheets themselves
            warden.wait()
        return 0


def of_allocation(environment: Mapping[str, str]) -> dict[str, str]:
    """What of it says what the allocation is and has: sheets find that in theirs."""
    return {
        name: value
        for name, value in environment.items()
        if name.startswith(("SLURM_", "SLURMD_")) or name in DEVICES
    }


def prepare(directory: Path, warden: Mapping[str, Any]) -> None:
    """Takes this directory for as long as the process lives, and writes the warden's settings into
    it. Raises BlockingIOError where another has it, OSError where nothing can be kept."""
    lock = os.open(directory / "pilot.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    try:
        (directory / "settings").write_bytes(codec.pack(dict(warden)))
    except OSError:
        shutil.rmtree(directory, ignore_errors=True)
        raise


def main() -> int:
    """Reads the settings, makes the place, serves, and leaves no file."""
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    settings: dict[str, Any] = json.loads(sys.stdin.readline())
    procfs.take_name("marianne-pilot")
    number = os.environ["SLURM_JOB_ID"]
    warden = settings["warden"]
    host = os.environ.get("SLURMD_NODENAME") or socket.gethostname()
    warden["node"] = f"{host}-{number}"
    warden["environment"] = of_allocation(os.environ)
    if warden.get("batch"):
        warden["ends_at"] = float(os.environ.get("SLURM_JOB_END_TIME") or 0) or None
    directory = Path(settings["parent"] or tempfile.gettempdir())
    try:
        directory = directory_of(settings["parent"], f"{settings['mark']}-{number}")
        prepare(directory, warden)
    except BlockingIOError:
        # A slurmctld that was killed may not know that it had begun this job, and begins it again.
        complain("this job has begun before, and its pilot lives: nothing to do")
        return 0
    except OSError as error:
        # The last line of its log is why its node cannot be used.
        complain(f"node {warden['node']}: {in_words(error, directory)}, or {ELSEWHERE}", "pilot")
        return 1
    try:
        return Pilot(directory, float(warden["sheet_grace_seconds"])).run()
    finally:
        shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())

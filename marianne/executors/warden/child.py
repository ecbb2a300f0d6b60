"""The process that a warden forks for a job: the worker of :mod:`marianne.run.worker`."""

from __future__ import annotations

import os
import socket
from typing import Any, NoReturn

from marianne.executors.stream_line import StreamLine
from marianne.run import procfs
from marianne.run.complain import complain_of_error
from marianne.run.setup import EXIT_CLEAN, EXIT_LEFT, become_worker
from marianne.run.tools import Tools
from marianne.run.worker import BYE_SECONDS, JobWorker

NOT_BEGUN = 3
"""How it ends when it could not begin: its last word says why."""


def work(connection: socket.socket, settings: dict[str, Any]) -> NoReturn:
    """Works by these settings until it is told to stop, and ends this process."""
    code = NOT_BEGUN
    try:
        code = _work(connection, settings)
    except BaseException:  # noqa: BLE001 - the warden above must never go on in this process
        complain_of_error()
    finally:
        os._exit(code)


def _work(connection: socket.socket, settings: dict[str, Any]) -> int:
    keep_only(connection.fileno())
    become_worker()
    procfs.take_name("marianne-worker")
    line = StreamLine(connection)
    try:
        worker = JobWorker(settings, line, Tools())
    except OSError as error:
        place = error.filename or settings["job_dir"]
        line.send({"kind": "failed", "why": f"its worker cannot begin: {place}: {error.strerror}"})
        line.close(BYE_SECONDS)
        return NOT_BEGUN
    clean = worker.run()
    line.close(BYE_SECONDS if worker.heard else 0.0)
    return EXIT_CLEAN if clean else EXIT_LEFT


def keep_only(descriptor: int) -> None:
    """Closes all else but the standard three. The warden's sockets are not its child's: one that
    stays open here would look alive when it died."""
    for name in os.listdir("/proc/self/fd"):
        if int(name) > 2 and int(name) != descriptor:
            try:
                os.close(int(name))
            except OSError:
                pass  # the listing's own

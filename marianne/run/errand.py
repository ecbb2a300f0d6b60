"""One command beside a job: a hook after it, a notice about it.

A process of its own, confined like a worker: a session, a subreaper, and nothing is left of the
command when it ends. Exit code, signal and the end of the output are written for who asked.
"""

from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgpack

from marianne.run import confine, procfs
from marianne.run.child import Ended
from marianne.run.limits import Limits, Watch
from marianne.run.loop import Loop
from marianne.run.nursery import WHO_SECONDS, Nursery
from marianne.run.outputs import tail
from marianne.run.setup import EXIT_LEFT, Signals, become_worker
from marianne.run.spawn import Command, SpawnError
from marianne.run.watermark import Watermark
from marianne.score.redact import redact

OUTPUT_CHARS = 2_000
OUTPUT_BYTES = 64 << 20


def errand_main(settings: dict[str, Any], answer: str) -> None:
    """The target of the conductor's forkserver; writes ``answer`` atomically.

    ``settings``: owner, job_id, job_dir, argv, cwd, stdin (bytes or None), extra (variables over
    the job's environment), timeout, grace. The answer: ok, exit_code, signal, why, output. There is
    none when the errand itself was told to stop.
    """
    become_worker()
    procfs.take_name("marianne-errand")
    owner, job_id = settings["owner"], settings["job_id"]
    loop, signals = Loop(), Signals()
    nursery = Nursery(loop, owner, Watermark(owner, job_id, claim=True))
    output, given = f"{answer}.out", _given(answer, settings["stdin"])
    made = not os.path.lexists(settings["cwd"])  # the worktree of a job that is over is gone
    over: list[str] = []
    told_to_stop: list[bool] = []
    found: dict[str, Any] = {"exit_code": None, "signal": None, "why": None}

    def ended(result: Ended) -> None:
        found["exit_code"], found["signal"] = result.exit_code, result.signal
        loop.call_later(WHO_SECONDS if result.by_request else 0.0, loop.stop)

    def exceeded(_category: str, message: str) -> None:
        over.append(message)
        nursery.end(child)

    def signalled() -> None:
        got = signals.take()
        if signal.SIGCHLD in got:
            nursery.reap()
        if signal.SIGTERM in got or signal.SIGINT in got:
            told_to_stop.append(True)
            nursery.end(child)

    loop.add_reader(signals.fileno(), signalled)
    command = Command(
        settings["argv"], _environment(settings), settings["cwd"], output, None, given
    )
    try:
        child = nursery.start(command, ended, "0.0", settings["grace"])
    except SpawnError as error:
        found["why"] = error.message
    else:
        limits = Limits(timeout=settings["timeout"], output=OUTPUT_BYTES)
        watch = Watch(loop, nursery, child, limits, (output,), exceeded)
        loop.run()
        watch.stop()
    confine.sweep(confine.all_below)
    if made:
        _remove_if_empty(settings["cwd"])
    if told_to_stop:
        sys.exit(EXIT_LEFT)  # what the command came to is ours, not its own: there is no answer
    found["why"] = over[0] if over else found["why"]
    found["ok"] = found["exit_code"] == 0 and not over
    found["output"] = redact(tail(output, OUTPUT_CHARS))
    for path in filter(None, (output, given)):
        Path(path).unlink(missing_ok=True)
    part = Path(answer + ".part")
    part.write_bytes(msgpack.packb(found))
    part.rename(answer)


def _environment(settings: dict[str, Any]) -> Any:
    env = msgpack.unpackb(Path(settings["job_dir"], "env").read_bytes()) | settings["extra"]
    env |= {"MARIANNE_JOB_ID": settings["job_id"], "MARIANNE_OWNER": settings["owner"]}
    return env | {"MARIANNE_SHEET": "0", "MARIANNE_ATTEMPT": "0"}


def _remove_if_empty(folder: str) -> None:
    with suppress(OSError):  # it holds something, or is gone
        os.rmdir(folder)


def _given(answer: str, text: bytes | None) -> str | None:
    """The file that the command reads; None where it gets nothing."""
    if text is None:
        return None
    path = f"{answer}.in"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(text)
    return path

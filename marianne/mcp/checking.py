"""Checking a score by ``marianne validate``: it confines itself by a fork, which a process of many
threads must not make."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from typing import Final

from marianne.cli.bounded import WALL_SECONDS
from marianne.cli.errors import CliError
from marianne.cli.session import Session
from marianne.mcp.messages import Map

SECONDS: Final = WALL_SECONDS + 30.0
LOOK_SECONDS: Final = 0.1


def check_score(
    session: Session,
    score: tuple[str | None, str | None],
    variables: dict[str, str],
    render: bool,
    stop: threading.Event,
) -> Map:
    """What the verb reports of one score, a path or a text. Ends it when ``stop`` is set."""
    path, text = score
    words = ["validate", "--json", "--home", str(session.home.path)]
    words += ["--render"] * render
    words += [word for name, value in variables.items() for word in ("--var", f"{name}={value}")]
    words += ["--", "-" if path is None else os.path.abspath(path)]
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "marianne.cli", *words],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    try:
        said = _said(process, (text or "").encode("utf-8", "replace"), stop)
    finally:
        process.kill()
        process.wait()
    try:
        told = json.loads(said)
    except ValueError:
        raise CliError(
            "internal", f"the check ended without a word ({process.returncode})"
        ) from None
    if isinstance(told, dict):
        error = told["error"]
        raise CliError(error["code"], error["message"], error["hint"], error)
    return dict(told[0])


def _said(process: subprocess.Popen[bytes], text: bytes, stop: threading.Event) -> bytes:
    until = time.monotonic() + SECONDS
    given: bytes | None = text
    while True:
        try:
            return process.communicate(given, timeout=LOOK_SECONDS)[0]
        except subprocess.TimeoutExpired:
            given = None
        if stop.is_set() or time.monotonic() >= until:
            raise CliError("deadline", "the check was given up", "is the machine busy?")

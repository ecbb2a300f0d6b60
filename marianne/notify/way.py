"""How a receiver is reached: the program that is run for it, and what it is given. Pure."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from marianne.notify.notice import Notice, body_of, line, title_and_text
from marianne.records import dataclass

SECONDS = 30.0
"""A delivery that takes longer is ended and counts as failed."""

LONGEST = 366 * 86_400.0

WEBHOOK = str(Path(__file__).with_name("webhook.py"))
"""The program for an address; it is not imported: a conductor needs no HTTP."""

DELIVER = "marianne.notify.deliver"
"""The one that has templates and apprise, and starts five times as slowly."""


@dataclass(frozen=True, slots=True)
class Way:
    """``argv`` is run with ``stdin``, for ``timeout`` seconds at most."""

    argv: Sequence[str]
    timeout: float
    stdin: bytes | None = None


def way(notices: Sequence[Notice]) -> Way | None:
    """For notices of one receiver; None when there is none for this kind of it here."""
    receiver = notices[0].receiver
    kind, config = receiver["type"], receiver["config"]
    timeout = seconds(config)
    if kind == "apprise" or config.get("template"):
        title, text = title_and_text(notices)
        wanted = {"type": kind, "config": config, "body": body_of(notices), "timeout": timeout}
        told = packed({**wanted, "title": title, "text": text, "line": line(notices)})
        return Way([sys.executable, "-I", "-m", DELIVER], timeout, told)
    match kind:
        case "command":
            argv = ["bash", "-c", str(config["command"])]
            return Way(argv, timeout, packed(body_of(notices)))
        case "webhook":
            wanted = {"url": config.get("url"), "url_env": config.get("url_env")}
            return _sent(wanted, body_of(notices), timeout)
        case "slack":
            wanted = {"url": config.get("webhook_url"), "url_env": config.get("webhook_url_env")}
            return _sent(wanted, {"text": line(notices)}, timeout)
        case "desktop" if shutil.which("notify-send"):
            return Way(desktop(*title_and_text(notices)), timeout)
        case _:
            return None


def desktop(title: str, text: str) -> list[str]:
    """The command that shows it."""
    return ["notify-send", "--app-name=marianne", "--", title, text]


def seconds(config: Mapping[str, Any]) -> float:
    """Of one delivery. A score that an earlier version accepted may have anything there."""
    given = config.get("timeout_seconds")
    if isinstance(given, bool) or not isinstance(given, (int, float)):
        return SECONDS
    return float(given) if 0 < given <= LONGEST else SECONDS


def packed(data: dict[str, Any]) -> bytes:
    """For a standard input."""
    return json.dumps(data, default=str).encode() + b"\n"


def _sent(wanted: dict[str, Any], body: dict[str, Any], timeout: float) -> Way:
    argv = [sys.executable, "-I", "-S", WEBHOOK]
    return Way(argv, timeout, packed({**wanted, "body": body, "timeout": timeout}))

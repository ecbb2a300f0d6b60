"""The ``config`` of a receiver of notices: what its type needs, and what any of them may say."""

from __future__ import annotations

import re
from typing import Any

from pydantic import TypeAdapter, ValidationError

from marianne.model.fields import Timeout, Wait

NEEDS = {
    "command": ("command",),
    "webhook": ("url", "url_env"),
    "apprise": ("url", "url_env"),
    "slack": ("webhook_url", "webhook_url_env"),
}
"""By type, of which one has to be there."""

NAMES = frozenset(
    {"id", "event", "job_id", "name", "status", "error", "workspace", "sheet_num", "ts", "data"}
    | {"count", "notices", "title", "text", "line"}
)
"""What a template may name."""

HOURS = re.compile(r"\s*([01]?\d|2[0-3]):[0-5]\d *- *([01]?\d|2[0-3]):[0-5]\d\s*")


def check_target(kind: str, config: dict[str, Any]) -> None:
    """ValueError where it does not say what its type needs."""
    keys = NEEDS.get(kind)
    if keys and not any(key in config for key in keys):
        raise ValueError(f"{kind} needs {' or '.join(f'config.{key}' for key in keys)}")


def checked(config: dict[str, Any]) -> dict[str, Any]:
    """The config with its times in seconds; ValueError says what is wrong with it."""
    found = dict(config)
    if config.get("timeout_seconds") is not None:
        given, usual = config["timeout_seconds"], "more than 0 and at most 366 days"
        found["timeout_seconds"] = _seconds("timeout_seconds", given, Timeout, usual)
    if config.get("digest") is not None:
        found["digest"] = _seconds("digest", config["digest"], Wait, "0 to 366 days")
    quiet = config.get("quiet")
    if quiet is not None and not (isinstance(quiet, str) and HOURS.fullmatch(quiet)):
        raise ValueError(f"quiet must be hours of the day, such as 22:00-07:00, not {quiet!r}")
    if config.get("template") is not None:
        _check_template(config["template"])
    return found


def _seconds(name: str, given: Any, kind: Any, bounds: str) -> float:
    try:
        return float(TypeAdapter(kind).validate_python(given))
    except ValidationError:
        raise ValueError(
            f"{name} must be {bounds}, as seconds or text like 90s or 5m, not {given!r}"
        ) from None


def _check_template(text: Any) -> None:
    """Its syntax and its names; what it comes to is seen when it is told."""
    from jinja2 import TemplateSyntaxError, meta

    from marianne.score.template import parsed

    if not isinstance(text, str):
        raise ValueError(f"template must be text, not {text!r}")
    try:
        tree = parsed(text, script=False)
    except TemplateSyntaxError as error:
        raise ValueError(f"template, line {error.lineno}: {error.message}") from None
    unknown = sorted(meta.find_undeclared_variables(tree) - NAMES)
    if unknown:
        known = ", ".join(sorted(NAMES))
        raise ValueError(f"template names {unknown[0]!r}; there are {known}")

"""A notice with a template, or by apprise: a program of its own, which is started for each.

Standard input is a JSON map: ``type`` and ``config`` of the receiver; ``body``, what a program is
told; ``title``, ``text`` and ``line``, what a person is; ``timeout`` in seconds. Exit code 0 when
it was taken. Its one line of output names no address, which may be a secret.

A template is a score's text, so it is rendered here, in Jinja2's sandbox, within the delivery's
time, and not where the conductor works.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from typing import Any

from marianne.notify import webhook
from marianne.notify.way import desktop
from marianne.score.template import TemplateError, render

MISSING = "apprise is not installed: pip install 'marianne-conductor[notify]'"


def variables(given: dict[str, Any]) -> dict[str, Any]:
    """What a template may name."""
    body = {"notices": [], "count": 1, **given["body"]}
    return {**body, "title": given["title"], "text": given["text"], "line": given["line"]}


def deliver(given: dict[str, Any]) -> str | None:
    """Tells it; None when it was taken, else why not, in words without the address."""
    config, template = given["config"], given["config"].get("template")
    text = given["line"]
    if template:
        try:
            text = render(str(template), variables(given))
        except TemplateError as error:
            return f"its template, line {error.line}: {error.message}"
    match given["type"]:
        case "command":
            return _command(str(config["command"]), text)
        case "webhook":
            return _sent(given, {"url": config.get("url"), "url_env": config.get("url_env")}, text)
        case "slack":
            names = {"url": config.get("webhook_url"), "url_env": config.get("webhook_url_env")}
            return webhook.deliver({**names, "body": {"text": text}, "timeout": given["timeout"]})
        case "desktop":
            return _desktop(given["title"], text)
        case "apprise":
            return _apprise(config, given["title"], text)
        case kind:
            return f"there is no way to tell a receiver of type {kind}"


def _sent(given: dict[str, Any], names: dict[str, Any], text: str) -> str | None:
    return webhook.deliver({**names, "text": text, "timeout": given["timeout"]})


def _command(command: str, text: str) -> str | None:
    done = subprocess.run(["bash", "-c", command], input=text.encode(), check=False)
    return None if done.returncode == 0 else f"exit code {done.returncode}"


def _desktop(title: str, text: str) -> str | None:
    if shutil.which("notify-send") is None:
        return "notify-send is not installed"
    done = subprocess.run(desktop(title, text), check=False)
    return None if done.returncode == 0 else f"notify-send: exit code {done.returncode}"


def _apprise(config: dict[str, Any], title: str, text: str) -> str | None:
    try:
        import apprise
    except ImportError:
        return MISSING
    given = config.get("url") or os.environ.get(str(config.get("url_env")), "")
    told = apprise.Apprise()
    if not told.add(given):
        where = "its url" if config.get("url") else f"the variable {config.get('url_env')}"
        return f"{where} is nothing that apprise knows"
    return None if told.notify(body=text, title=title) else "apprise could not deliver it"


def main() -> int:
    """The program."""
    why = deliver(json.load(sys.stdin))
    if why is not None:
        print(why)
    return 0 if why is None else 1


if __name__ == "__main__":
    sys.exit(main())

"""A notice sent to an address: a program of its own, which the conductor starts for each.

Run by path with ``-I -S``, so it has the standard library alone. Standard input is a JSON map:
``url``, or ``url_env``, the variable that holds it; ``body``, which is sent as JSON, or ``text``,
which is sent as it is; ``timeout`` in seconds. Exit code 0 when the answer is a success. Its one
line of output never has the address, which may be a secret.
"""

from __future__ import annotations

import http.client
import json
import os
import sys
import urllib.error
import urllib.request
from typing import Any

SCHEMES = ("https://", "http://")


def deliver(wanted: dict[str, Any]) -> str | None:
    """Sends it; None when it was taken, else why not, in words without the address."""
    variable = wanted.get("url_env")
    url = str(wanted.get("url") or os.environ.get(str(variable), ""))
    if not url.startswith(SCHEMES):
        where = "its url" if wanted.get("url") else f"the variable {variable}"
        return f"{where} is no http:// or https:// address"
    kind, data = _content(wanted)
    headers = {"Content-Type": kind, "User-Agent": "marianne"}
    try:
        request = urllib.request.Request(url, data, headers)
        with urllib.request.urlopen(request, timeout=wanted["timeout"]):
            return None
    except urllib.error.HTTPError as error:
        return f"the answer was HTTP {error.code}"
    except urllib.error.URLError as error:
        return f"nobody answered: {getattr(error.reason, 'strerror', None) or error.reason}"
    except (OSError, ValueError, http.client.HTTPException) as error:
        return f"it could not be sent: {type(error).__name__}"


def _content(wanted: dict[str, Any]) -> tuple[str, bytes]:
    text = wanted.get("text")
    if text is None:
        return "application/json", json.dumps(wanted["body"]).encode()
    try:
        json.loads(text)
    except ValueError:
        return "text/plain; charset=utf-8", text.encode()
    return "application/json", text.encode()


def main() -> int:
    """The program."""
    why = deliver(json.load(sys.stdin))
    if why is not None:
        print(why)
    return 0 if why is None else 1


if __name__ == "__main__":
    sys.exit(main())

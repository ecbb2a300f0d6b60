"""What of a configuration is shown to nobody who did not ask for it: addresses that let in whoever
knows them, headers, credentials in commands. Pure, over plain data.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

MASK = "********"

SECRETIVE = frozenset({"notifications", "traces"})
"""Sections whose values stand in no error."""

ADDRESSES = frozenset({"url", "webhook_url"})
"""Of a receiver: what a notice is sent to."""


def masked(config: Mapping[str, Any]) -> dict[str, Any]:
    """The configuration, nested as in the file, for anybody's eyes."""
    shown = dict(config)
    if shown.get("notifications"):
        shown["notifications"] = [_receiver(one) for one in shown["notifications"]]
    traces = shown.get("traces")
    if traces:
        headers = dict.fromkeys(traces.get("headers") or (), MASK)
        endpoint = traces.get("endpoint")
        if endpoint is not None:
            endpoint = masked_url(endpoint)
        shown["traces"] = {**traces, "endpoint": endpoint, "headers": headers}
    return shown


def _receiver(receiver: Mapping[str, Any]) -> dict[str, Any]:
    from marianne.score.redact import redact

    config = {}
    for name, value in (receiver.get("config") or {}).items():
        shown = masked_url if name in ADDRESSES else redact
        config[name] = shown(value) if isinstance(value, str) else value
    return {**receiver, "config": config}


def masked_url(address: str) -> str:
    """Which host it leads to, without what stands in it for whoever may go there."""
    try:
        parts = urlsplit(address)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return MASK
    if parts.scheme not in ("http", "https"):
        return f"{parts.scheme}://{MASK}" if parts.scheme else MASK
    place = f"{parts.scheme}://{f'[{host}]' if ':' in host else host}{f':{port}' if port else ''}"
    more = parts.path.strip("/") or parts.query or parts.username or parts.fragment
    return f"{place}/{MASK}" if more else place

"""Which collector is told of jobs, sheets and attempts."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from pydantic import Field, model_validator

from marianne.daemon.config.sections import Section

PATH = "/v1/traces"
"""Where a collector takes traces, below an address that says no more than its host."""

_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")


class TracesConfig(Section):
    """OTLP over HTTP: spans of jobs, sheets and attempts. See docs/traces.md."""

    endpoint: str | None = Field(
        None, description="The collector, http://HOST:4318; default: they are not sent."
    )
    headers: dict[str, str] = Field(
        default_factory=dict, description="Sent along, such as a key; never shown."
    )

    @property
    def url(self) -> str:
        """What is posted to. An address with a path is taken as it is."""
        address = self.endpoint or ""
        parts = urlsplit(address)
        if parts.path in ("", "/") and not parts.query:
            return address.rstrip("/") + PATH
        return address

    @model_validator(mode="after")
    def _can_be(self) -> TracesConfig:
        # The words name no value: it may be a secret.
        if self.endpoint is not None:
            _check_address(self.endpoint)
        for number, (name, value) in enumerate(self.headers.items(), 1):
            if not _NAME.fullmatch(name):
                raise ValueError(f"headers: the name of number {number} is no header's")
            if not (value.isascii() and value.isprintable()):
                raise ValueError(f"headers: {name}: its value must be printable ASCII in one line")
        return self


def _check_address(address: str) -> None:
    try:
        parts = urlsplit(address)
        _ = parts.port
    except ValueError as error:
        raise ValueError(f"endpoint: it is no address: {error}") from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("endpoint: it must be http://HOST:PORT or https://HOST:PORT")
    if not (address.isascii() and address.isprintable()) or " " in address or parts.fragment:
        raise ValueError("endpoint: it must be an address without spaces and without #")

"""Whether the conductor has the pages of ``marianne web`` served."""

from __future__ import annotations

from pydantic import Field

from marianne.daemon.config.sections import Section


class WebConfig(Section):
    """Pages in a browser, at this machine's loopback; `marianne web --address` prints where."""

    enabled: bool = Field(False, description="Whether they are served while the conductor runs.")
    port: int = Field(8421, ge=1, le=65_535, description="Of 127.0.0.1.")
    write: bool = Field(
        False, description="Whether the pages may pause, resume, retry and cancel jobs."
    )
    allow_hosts: list[str] = Field(
        default_factory=list,
        description="Names beside localhost that browsers may use, as behind a proxy.",
    )

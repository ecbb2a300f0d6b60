"""Where a conductor's figures are served."""

from __future__ import annotations

from pydantic import Field, model_validator

from marianne.daemon.config.sections import Section
from marianne.metrics.address import Address, parse


class MetricsConfig(Section):
    """Figures for Prometheus, by HTTP at ``/metrics``."""

    listen: str | None = Field(
        None,
        description="HOST:PORT, or the absolute path of a Unix socket; default: they are not"
        " served, `marianne metrics` prints them.",
    )
    remote: bool = Field(
        False, description="Whether HOST may be another than this machine's loopback."
    )

    @property
    def address(self) -> Address | None:
        """Where they are served; ValueError where nobody could, or where nobody said so."""
        if self.listen is None:
            return None
        address = parse(self.listen)
        if not (address.is_local or self.remote):
            raise ValueError(
                "it can be reached from other machines, and whoever reaches it sees what runs"
                " here; take 127.0.0.1, or set remote: true"
            )
        return address

    @model_validator(mode="after")
    def _can_be(self) -> MetricsConfig:
        try:
            _ = self.address
        except ValueError as error:
            raise ValueError(f"listen {self.listen!r}: {error}") from None
        return self

"""Which rate limits a person has lifted, for sheets that could not be told when it happened. Pure.

Known until the limit key is limited anew: what waits then waits for another limit.
"""

from __future__ import annotations


def covers(instrument: str | None, key: str) -> bool:
    """Whether a limit key (profile, or profile/model) is of this instrument; None means all."""
    return instrument is None or key == instrument or key.startswith(f"{instrument}/")


class Lifts:
    """In the order in which they come; both sets are bounded by what people name, and by keys."""

    def __init__(self) -> None:
        self._lifted: set[str | None] = set()
        self._limited: set[str] = set()

    def lift(self, instrument: str | None) -> None:
        """All limits of the instrument are lifted."""
        self._lifted.add(instrument)
        self._limited = {key for key in self._limited if not covers(instrument, key)}

    def limit(self, key: str) -> None:
        """The key is limited."""
        self._limited.add(key)

    def lifted(self, key: str) -> bool:
        """Whether the key's limits were lifted, and it was not limited since."""
        if key in self._limited:
            return False
        return any(covers(instrument, key) for instrument in self._lifted)

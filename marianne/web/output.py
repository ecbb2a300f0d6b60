"""What a sheet wrote, by ranges of bytes: the whole may be larger than any memory."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, Final

from marianne.cli.errors import CliError
from marianne.client.conductor import Conductor

STREAMS: Final = ("out", "err", "prompt")
PIECE: Final = 1 << 20
"""Bytes that the conductor gives at most."""

SHOWN: Final = 1 << 18
"""Bytes of a piece for a page at most."""

SEARCHED: Final = 32 * PIECE
"""Bytes that are looked through in one answer at most."""

LONGEST: Final = 1_000
"""Bytes of a text that is searched for at most."""


class Output:
    """One stream of one sheet; ``attempt`` None is the last one."""

    def __init__(
        self, conductor: Conductor, job: str, sheet: int, stream: str, attempt: int | None
    ) -> None:
        if stream not in STREAMS:
            raise CliError("invalid_params", f"stream: one of {', '.join(STREAMS)}")
        self._ask = conductor.ask
        self._params = {
            "job_id": job,
            "sheet": sheet,
            "attempt": attempt,
            "stream": stream,
        }

    async def piece(self, offset: int, limit: int) -> dict[str, Any]:
        """As ``job.output`` answers it. A negative offset counts from the end."""
        if offset >= 0:
            return await self._piece(offset, limit)
        head = await self._piece(0, 1)
        start = max(0, head["size"] + offset)
        return await self._piece(start, max(1, min(limit, head["size"] - start)))

    async def all(self) -> AsyncIterator[bytes]:
        """Everything that is there now, piece by piece; of one attempt, also if the sheet is tried
        again meanwhile."""
        self._params["plain"] = True
        piece = await self._piece(0, PIECE)
        self._params["attempt"], size = piece["attempt"], piece["size"]
        while piece["data"]:
            yield piece["data"][: size - piece["offset"]]
            if piece["next_offset"] >= size:
                return
            piece = await self._piece(piece["next_offset"], PIECE)

    async def find(self, text: bytes, offset: int) -> dict[str, Any]:
        """Where the text stands first from ``offset`` on: ``found``; or ``next``, where to go on
        with the search; neither where it stands nowhere."""
        if not 0 < len(text) <= LONGEST:
            raise CliError("invalid_params", f"q: a text of 1 to {LONGEST} bytes")
        self._params["plain"] = True
        kept, until = b"", offset + SEARCHED
        while True:
            piece = await self._piece(offset, PIECE)
            data = kept + piece["data"]
            place = data.find(text)
            if place >= 0:
                return {"found": piece["offset"] - len(kept) + place, "next": None}
            offset = piece["next_offset"]
            if offset >= piece["size"] or not piece["data"]:
                return {"found": None, "next": None}
            kept = data[-(len(text) - 1) :] if len(text) > 1 else b""
            if offset >= until:
                return {"found": None, "next": offset - len(kept)}

    async def _piece(self, offset: int, limit: int) -> dict[str, Any]:
        told: dict[str, Any] = await self._ask(
            "job.output", **self._params, offset=offset, limit=limit
        )
        return told

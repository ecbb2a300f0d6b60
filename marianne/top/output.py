"""What sheets print, as they print it: read piece by piece, the end first."""

from __future__ import annotations

import codecs
from typing import Any, Final

from marianne.cli.errors import CliError
from marianne.client.conductor import Conductor

TAIL_BYTES: Final = 16_384
PIECE_BYTES: Final = 65_536


class Follower:
    """The output of one sheet, over its retries."""

    def __init__(self, conductor: Conductor, job: str, sheet: int) -> None:
        self._conductor = conductor
        self._params: dict[str, Any] = {"job_id": job, "sheet": sheet, "stream": "out"}
        self._attempt: int | None = None
        self._offset = 0
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._rest = ""
        self.ended = False
        """Nothing more comes of this attempt."""

    async def more(self) -> list[str]:
        """The lines that have come, whole ones; what has no end yet comes with it, or at the end.

        Nothing while the sheet has not begun. Raises CliError where it cannot be had.
        """
        try:
            told = await self._ask(limit=1, offset=0) if self._attempt is None else None
            if told is not None:
                self._attempt = told["attempt"]
                self._offset = max(0, told["size"] - TAIL_BYTES)
            piece = await self._ask(limit=PIECE_BYTES, offset=self._offset, attempt=self._attempt)
        except CliError as error:
            if error.code in ("conflict", "not_found"):
                return []
            raise
        self._offset = piece["next_offset"]
        self.ended = piece["ended"] and self._offset >= piece["size"]
        text = self._rest + self._decoder.decode(piece["data"], final=self.ended)
        *lines, self._rest = text.split("\n")
        if self._rest and (self.ended or len(self._rest) > PIECE_BYTES):
            lines.append(self._rest)
            self._rest = ""
        return lines

    async def _ask(self, **more: Any) -> Any:
        return await self._conductor.ask("job.output", **self._params, **more)

"""What a conductor has to say of prompts: how long one may be, before anything is started for it,
and how to think where a score says nothing.

Nobody but the model can count its tokens; four characters to one is the usual estimate. A script
is no prompt: nothing reads it but a shell.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from marianne.model.plan import Instrument, Prompt, SheetPlan
from marianne.records import dataclass

CHARACTERS_A_TOKEN = 4
SHELL = "shell"
"""The instrument that runs its prompt as a script."""


@dataclass(frozen=True, slots=True)
class PromptLimits:
    """The conductor's ``preflight``: from so many tokens on a prompt is warned of, or refused; 0
    bounds nothing."""

    warning: int = 0
    error: int = 0

    def refusal(self, characters: int) -> str | None:
        """Why a prompt of so many characters is not given to anybody; None: it is."""
        return _over(characters, self.error, "error")

    def remark(self, characters: int) -> str | None:
        """What is to be said of a prompt that is long and not too long."""
        return _over(characters, self.warning, "warning")


UNBOUNDED = PromptLimits()


def is_prompt(prompt: Prompt, instrument: Instrument) -> bool:
    """Whether the text is for a reader, and no script."""
    return not prompt.script and instrument.profile != SHELL


def thinking(sheets: Iterable[SheetPlan], method: str) -> list[SheetPlan]:
    """The sheets, whose prompts think so unless they say otherwise; scripts do not think."""
    made: dict[int, Prompt] = {}  # sheets share prompts, and go on to
    return [
        replace(
            sheet,
            prompt=made.setdefault(id(sheet.prompt), replace(sheet.prompt, thinking_method=method)),
        )
        if is_prompt(sheet.prompt, sheet.instrument) and not sheet.prompt.thinking_method
        else sheet
        for sheet in sheets
    ]


def _over(characters: int, limit: int, which: str) -> str | None:
    if not limit or characters < limit * CHARACTERS_A_TOKEN:
        return None
    tokens = characters // CHARACTERS_A_TOKEN
    return f"the prompt has about {tokens:,} tokens, preflight.token_{which}_threshold is {limit:,}"

"""How long a prompt may be, before anything is started for it.

Nobody but the model can count its tokens; four characters to one is the usual estimate. A script
is no prompt: nothing reads it but a shell.
"""

from __future__ import annotations

from dataclasses import dataclass

from marianne.score.plan import Instrument, Prompt

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


def _over(characters: int, limit: int, which: str) -> str | None:
    if not limit or characters < limit * CHARACTERS_A_TOKEN:
        return None
    tokens = characters // CHARACTERS_A_TOKEN
    return f"the prompt has about {tokens:,} tokens, preflight.token_{which}_threshold is {limit:,}"

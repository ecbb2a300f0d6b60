"""Hides credentials in text that one sheet leaves and another is shown. Pure.

Patterns of well-known forms; a secret of no known form is not found. What is hidden becomes
``[REDACTED]``.

Every pattern begins where a word begins and what may vary before its fixed part is short, so that
the time grows with the text and not with its square.
"""

from __future__ import annotations

import re

REDACTED = "[REDACTED]"

_KNOWN = re.compile(
    r"""
    -----BEGIN[ ][A-Z ]*PRIVATE[ ]KEY-----.*?(?:-----END[ ][A-Z ]*PRIVATE[ ]KEY-----|\Z)
    | \b(?:sk|pk|rk)-[A-Za-z0-9_-]{16,}                  # model vendors and payments
    | \b(?:sk|pk|rk)_(?:live|test)_[A-Za-z0-9]{16,}
    | \bgh[pousr]_[A-Za-z0-9]{20,} | \bgithub_pat_\w{20,}
    | \bglpat-[A-Za-z0-9_-]{16,}
    | \bxox[abeprs]-[A-Za-z0-9-]{10,}
    | \b(?:AKIA|ASIA)[A-Z0-9]{16}\b
    | \bAIza[A-Za-z0-9_-]{35}
    | \bnpm_[A-Za-z0-9]{30,}
    | \bpypi-[A-Za-z0-9_-]{40,}
    | (?<![A-Za-z0-9_-])eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,} # a token
    """,
    re.VERBOSE | re.DOTALL,
)
_NAMED = re.compile(
    r"""(?ix)
    (?<![a-z0-9_-])
    ( (?:[a-z0-9_-]{0,40}?(?:api[_-]?key|secret|passwd|password|auth[_-]?token|access[_-]?token
      |private[_-]?key)[a-z0-9_-]{0,40})  ["']? \s* [:=] \s* ["']? )
    ( [^\s"'{}<>$,;]{6,} )
    """
)
_BEARER = re.compile(r"(?i)(\bauthorization\s*:\s*(?:bearer|basic|token)\s+)(\S{6,})")
_URL = re.compile(r"(://[^\s/:@]{1,200}:)([^\s/@]{1,500})(@)")


def redact(text: str) -> str:
    """The text without what looks like a credential."""
    text = _KNOWN.sub(REDACTED, text)
    text = _BEARER.sub(lambda match: match[1] + REDACTED, text)
    text = _URL.sub(lambda match: match[1] + REDACTED + match[3], text)
    return _NAMED.sub(lambda match: match[1] + REDACTED, text)

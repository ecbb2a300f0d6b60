"""Settings that are accepted because they are documented, and change nothing; each with its reason.

A test holds every other setting to be read somewhere.
"""

from __future__ import annotations

WITHOUT_EFFECT: dict[str, str] = {
    "observer": "workspaces are not watched; events tell what sheets do",
    "profiler": "what each attempt used is measured anyway: `marianne history`",
    "mcp_pool": "tool servers are the instrument's own business",
    "keyring": "instruments find their keys themselves, in the environment or their own files",
    "socket.permissions": "sockets are 0600: whoever can open one can do what you can",
    "socket.backlog": "as many may wait as ZeroMQ needs",
    "learning.backend": "nothing is learned by a hosted model",
    "learning.max_concurrent_analyses": "there is one analysis, and it takes milliseconds",
}
"""By dotted name; a section's name stands for all that is in it."""

AS_IT_IS: dict[str, object] = {"state_backend_type": "sqlite", "socket.permissions": 0o600}
"""Values that say what is so anyway."""


def reason(name: str) -> tuple[str, str] | None:
    """The setting or section that ``name`` is or is in, and why it has no effect; None: it has."""
    for known, why in WITHOUT_EFFECT.items():
        if name == known or name.startswith(f"{known}."):
            return known, why
    return None

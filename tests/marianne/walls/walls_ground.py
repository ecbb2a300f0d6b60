"""A place to wall off, users to be, and who runs scripts behind walls."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

NOBODY = 65534
USERS = (None, NOBODY) if os.geteuid() == 0 else (None,)
"""As we are; and as a user without privilege, where we can become one."""

Behind = Callable[..., dict[str, Any]]


def wait_for(condition: Callable[[], object], timeout: float = 60.0) -> None:
    """Until it holds."""
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, "it never came about"
        time.sleep(0.01)


class Ground:
    """A workspace, and what lies beside it, in no directory for temporary files: those may be
    written. Everybody may use it: what is refused, is refused by walls."""

    def __init__(self, top: Path) -> None:
        self.top = top
        self.workspace, self.outside = top / "workspace", top / "outside"
        self.home, self.sheets = top / "home", top / "home" / "jobs" / "one" / "sheets"
        for path in (self.workspace, self.outside, self.sheets, self.outside / "folder"):
            path.mkdir(parents=True, exist_ok=True)
        self.refill()

    def refill(self) -> None:
        """As it was."""
        (self.outside / "file").write_text("whole\n")
        (self.home / "secret").write_text("secret\n")
        (self.sheets / "1.1.prompt").write_text("a prompt\n")
        for path in (self.top, *self.top.rglob("*")):
            path.chmod(0o777 if path.is_dir() else 0o666)

    @property
    def places(self) -> dict[str, str]:
        """As behind_walls wants them."""
        return {
            "workspace": str(self.workspace),
            "home": str(self.home),
            "sheets": str(self.sheets),
            "user": str(self.top / "user"),
        }

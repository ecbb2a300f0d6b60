"""The command line of the heart. See marianne/heart.py."""

from __future__ import annotations


class Options:
    """The command line."""

    def __init__(self, argv: list[str]) -> None:
        self.home = self.log = ""
        self.lock_fd = self.guard_fd = self.ready_fd = -1
        self.client: tuple[int, int] | None = None
        self.conductor: list[str] = []
        words = iter(argv)
        for word in words:
            if word == "--":
                self.conductor = list(words)
            elif word == "--home":
                self.home = next(words, "")
            elif word == "--log":
                self.log = next(words, "")
            elif word == "--lock-fd":
                self.lock_fd = int(next(words, "-1"))
            elif word == "--guard-fd":
                self.guard_fd = int(next(words, "-1"))
            elif word == "--ready-fd":
                self.ready_fd = int(next(words, "-1"))
            elif word == "--client":
                pid, _, start = next(words, "").partition(":")
                self.client = int(pid), int(start)
            else:
                raise ValueError(f"unknown option {word}")
        if not self.home or self.lock_fd < 0 or not self.conductor:
            raise ValueError("needs --home, --lock-fd and a command after --")

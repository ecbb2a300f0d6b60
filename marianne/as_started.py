"""The program as it was when this process began: what was replaced since is not loaded any more.

An upgrade beneath a running conductor (pip, git) leaves what it has imported as it was, and what it
has not imported yet is new. The two need not fit, and nobody would know: a call with an argument
too many in the middle of a request, a file that two versions read differently.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType

PACKAGES = ("actors", "ipc", "marianne")

Signature = tuple[int, int]
"""When a file was changed last (ns), and its size: a hard link or a copy of it is no other file."""


class ReplacedError(ImportError):
    """``soon``: this process is about to be replaced, too."""

    def __init__(self, file: str, *, soon: bool) -> None:
        super().__init__(f"{file} is not what it was when the conductor started", path=file)
        self.soon = soon


class AsStarted:
    """A finder for ``sys.meta_path`` that refuses what is not as it was."""

    def __init__(self, known: Mapping[str, Signature], told: Callable[[str], bool]) -> None:
        self._known = known
        self._told = told

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The module's place; None for what is not of this program."""
        if name.partition(".")[0] not in PACKAGES:
            return None
        spec = PathFinder.find_spec(name, path, target)
        if spec is None:  # gone, or about to be there again: the import says which
            return None
        file = spec.origin
        if file is not None and _signature(file) != self._known.get(file):
            raise ReplacedError(file, soon=self._told(file))
        return spec


def hold(told: Callable[[str], bool]) -> AsStarted:
    """From now on only what is as it is now can be imported of this program.

    ``told`` is called, in any thread, with the file that is not; it returns whether this process is
    about to be replaced. Undone by taking the result out of ``sys.meta_path``.
    """
    finder = AsStarted(signatures(), told)
    sys.meta_path.insert(0, finder)
    return finder


def signatures() -> dict[str, Signature]:
    """Of each module of the program, by its file."""
    found = {}
    for package in PACKAGES:
        module = sys.modules.get(package)
        for place in module.__path__ if module is not None else ():
            for file in _modules(place):
                signature = _signature(file)
                if signature is not None:
                    found[file] = signature
    return found


def _modules(place: str) -> Iterator[str]:
    try:
        entries = list(os.scandir(place))
    except OSError:  # it is just being replaced
        return
    for entry in entries:
        if entry.name.endswith(".py"):
            yield entry.path
        elif entry.name != "__pycache__" and entry.is_dir():
            yield from _modules(entry.path)


def _signature(file: str) -> Signature | None:
    try:
        found = os.stat(file)
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size

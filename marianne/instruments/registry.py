"""Which instruments there are: the built-in ones, the user's, the score's own."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import field
from functools import cache
from pathlib import Path

from marianne.instruments.inert import remarks
from marianne.instruments.present import why_missing
from marianne.instruments.profile import Profile
from marianne.model.document import Document
from marianne.model.errors import Problem, ScoreError
from marianne.model.problems import validate
from marianne.records import dataclass
from marianne.regular_file import read_regular

BUILTIN = Path(__file__).parent / "builtin"
MAX_PROFILE_BYTES = 2**20

# Names that scores use and that have no program behind them: a run takes the fallback.
NO_PROGRAM = {
    "anthropic_api": "it is a hosted model, not a program",
    "ollama": "it is a model server, not a program",
    "recursive_light": "it is a hosted service, not a program",
}


@dataclass(frozen=True, slots=True)
class Entry:
    """A profile, the file that it came from, and what of it has no effect."""

    profile: Profile
    source: str
    remarks: tuple[Problem, ...] = ()


@dataclass(slots=True)
class Registry:
    """Profiles by name. Later directories win; a file that cannot be read is a problem, no more."""

    entries: dict[str, Entry] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    @classmethod
    def load(cls, *directories: str | os.PathLike[str], builtin: bool = True) -> Registry:
        """The built-in profiles, then those of each directory in turn; absent ones are empty."""
        return (builtins() if builtin else cls()).extended(*directories)

    def extended(self, *directories: str | os.PathLike[str]) -> Registry:
        """A copy with the profiles of these directories too."""
        registry = Registry(dict(self.entries), list(self.problems))
        for directory in directories:
            registry._read(Path(directory))
        return registry

    def get(self, name: str) -> Profile | None:
        """The profile of that name, or of which it is another name."""
        entry = self.entry(name)
        return entry.profile if entry is not None else None

    def entry(self, name: str) -> Entry | None:
        """The same with its file."""
        entry = self.entries.get(name)
        if entry is not None:
            return entry
        return next((e for e in self.entries.values() if name in e.profile.aliases), None)

    def names(self) -> list[str]:
        """All names a score can use, sorted."""
        names = set(self.entries) | set(NO_PROGRAM)
        for entry in self.entries.values():
            names.update(entry.profile.aliases)
        return sorted(names)

    def _read(self, directory: Path) -> None:
        for path in _profile_files(directory):
            try:
                raw = read_regular(str(path), MAX_PROFILE_BYTES + 1)
                if len(raw) > MAX_PROFILE_BYTES:
                    raise ScoreError([Problem("the file is too large", file=str(path))])
                document = Document(raw.decode("utf-8"), str(path))
                profile = validate(Profile, document)
            except ScoreError as error:
                self.problems.extend(error.problems)
            except (OSError, UnicodeDecodeError) as error:
                self.problems.append(Problem(f"cannot be read: {error}", file=str(path)))
            else:
                said = remarks(profile, document)
                self.entries[profile.name] = Entry(profile, str(path), said)


@cache
def builtins() -> Registry:
    """The built-in profiles, read once; extend it, do not change it."""
    registry = Registry()
    registry._read(BUILTIN)
    return registry


def _profile_files(directory: Path) -> Iterable[Path]:
    try:
        return sorted(p for p in directory.iterdir() if p.suffix in {".yaml", ".yml"})
    except OSError:
        return []


def why_unavailable(profile: Profile, search_path: str | None = None) -> str | None:
    """Why no attempt can be made with a profile, or None when its program is there."""
    if profile.kind == "http" or profile.cli is None:
        return "it is a hosted model, not a program"
    return why_missing(profile.cli.command.executable, search_path)

"""Moving the outputs of earlier runs out of a workspace before a fresh one begins.

What is moved is renamed into a directory of its own below ``archive_dir``; nothing is copied. A
plan of where to is written before the first move, so that an archiving that was cut off goes on in
the same place, and one that is done is never done again for the same job. Archives that are too
many are only named here: to delete them may take long.
"""

from __future__ import annotations

import os
import re
import stat
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from marianne.model.plan import Plan

ARCHIVED = "archived"
"""The file that says, among a job's, that this was done for it."""

_NAMES = {"iteration": re.compile(r"iteration-(\d+)"), "timestamp": re.compile(r"(\d{8}T\d{6}Z)")}


class ArchiveError(Exception):
    """The workspace cannot be archived; the message is for the score's author."""


def archive_once(plan: Plan, section: Mapping[str, Any], job_dir: str) -> list[Path]:
    """Archives the plan's workspace unless that was done for this job. Raises ArchiveError.

    Returns the archives beyond ``max_archives``, oldest first, for the caller to remove.

    ``section`` is the score's ``workspace_lifecycle``, ``job_dir`` where the job's files are.
    """
    done, target_file = Path(job_dir, ARCHIVED), Path(job_dir, "archiving")
    if done.exists():
        return []
    workspace = Path(plan.workspace)
    _check(workspace, plan.score_dir, job_dir)
    _check_inside(workspace, section["archive_dir"])
    old: list[Path] = []
    try:
        if workspace.is_dir():
            keep = Keep(section["preserve_patterns"], section["archive_dir"])
            _archive(workspace, section, keep, target_file)
            old = _too_many(workspace / section["archive_dir"], section)
        done.touch()
    except OSError as error:
        where = f": {error.filename}" if error.filename else ""
        raise ArchiveError(f"cannot archive the workspace: {error.strerror}{where}") from error
    return old


def _check(workspace: Path, score_dir: str | None, job_dir: str) -> None:
    """Refuses a workspace that is more than one: its sources would be moved away."""
    real = os.path.realpath(workspace)
    for name, path in (("the score", score_dir), ("the conductor's home", job_dir)):
        if path is None:
            continue
        inside = os.path.realpath(path)
        if os.path.commonpath([real, inside]) == real:
            raise ArchiveError(
                f"the workspace {workspace} is not archived: {name} lies in it; give the score a "
                "workspace of its own"
            )


def _check_inside(workspace: Path, archive_dir: str) -> None:
    """Refuses a link that leads out: a sheet of an earlier job may have made it, behind walls."""
    real, home = os.path.realpath(workspace), os.path.realpath(workspace / archive_dir)
    if os.path.commonpath([real, home]) != real:
        raise ArchiveError(
            f"the workspace {workspace} is not archived: {archive_dir!r}, its 'archive_dir', leads "
            f"out of it, to {home}; remove the link, or name a directory inside"
        )


def _archive(workspace: Path, section: Mapping[str, Any], keep: Keep, target_file: Path) -> None:
    home = workspace / section["archive_dir"]
    naming = section["archive_naming"]
    name = _planned(target_file)
    if name is None:
        if not _anything(workspace, "", keep):
            return
        name = _name(workspace, home, naming)
        _plan(target_file, name)
    target = home / name
    target.mkdir(parents=True, exist_ok=True)
    _move(workspace, "", target, keep)


def _planned(file: Path) -> str | None:
    """The archive that was begun; None where there is none, or no name that we would give."""
    try:
        name = file.read_text(errors="replace")
    except FileNotFoundError:
        return None
    return name if any(pattern.fullmatch(name) for pattern in _NAMES.values()) else None


def _plan(file: Path, name: str) -> None:
    fresh = file.with_name(f"{file.name}.part")
    fresh.write_text(name)
    os.replace(fresh, file)


def _name(workspace: Path, home: Path, naming: str) -> str:
    if naming == "timestamp":
        now = time.time()
        while (home / (name := time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now)))).exists():
            now += 1
        return name
    taken = [int(name) for name, _ in _archives(home, _NAMES["iteration"])]
    told = _told(workspace / ".iteration")
    number = told if told > 0 and told not in taken else max(taken, default=0) + 1
    return f"iteration-{number}"


def _told(file: Path) -> int:
    """The number in a file of the sheets'; 0 where there is none. A pipe would never end."""
    try:
        fd = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return 0
    try:
        return int(os.read(fd, 20)) if stat.S_ISREG(os.fstat(fd).st_mode) else 0
    except (OSError, ValueError):
        return 0
    finally:
        os.close(fd)


def _archives(home: Path, pattern: re.Pattern[str]) -> list[tuple[str, Path]]:
    """The archives that we made: what bears another name is somebody else's."""
    if not home.is_dir():
        return []
    found = ((pattern.fullmatch(path.name), path) for path in home.iterdir())
    return [(match[1], path) for match, path in found if match and path.is_dir()]


def _too_many(home: Path, section: Mapping[str, Any]) -> list[Path]:
    if not section["max_archives"]:
        return []
    found = _archives(home, _NAMES[section["archive_naming"]])
    named = sorted(found, key=lambda entry: (len(entry[0]), entry[0]))
    return [path for _, path in named[: max(0, len(named) - section["max_archives"])]]


def _movable(folder: Path, inner: str, keep: Keep) -> list[tuple[os.DirEntry[str], str, bool]]:
    """What is in a folder and does not stay as a whole: the entry, its path from the workspace,
    and whether something in it stays."""
    with os.scandir(folder) as entries:
        listed = sorted(entries, key=lambda entry: entry.name)
    found = []
    for entry in listed:
        path = f"{inner}{entry.name}"
        if not keep.all_of(path):
            partly = entry.is_dir(follow_symlinks=False) and keep.some_in(path)
            found.append((entry, path, partly))
    return found


def _anything(folder: Path, inner: str, keep: Keep) -> bool:
    """Whether there is anything to archive."""
    return any(
        not partly or _anything(Path(entry.path), f"{path}/", keep)
        for entry, path, partly in _movable(folder, inner, keep)
    )


def _move(folder: Path, inner: str, target: Path, keep: Keep) -> None:
    for entry, path, partly in _movable(folder, inner, keep):
        if partly:
            (target / path).mkdir(parents=True, exist_ok=True)
            _move(Path(entry.path), f"{path}/", target, keep)
            for folder_left in (entry.path, target / path):
                with suppress(OSError):  # not empty
                    os.rmdir(folder_left)
        else:
            os.rename(entry.path, target / path)


class Keep:
    """What stays: the archives themselves, and what the patterns match.

    A pattern is a path from the workspace: ``*`` and ``?`` stay within a directory, ``**`` goes
    through any number, and ``name/**`` means the directory with all that is in it.
    """

    def __init__(self, patterns: Sequence[str], archive_dir: str) -> None:
        mine = os.path.normpath(archive_dir)
        parts = [pattern.strip("/").split("/") for pattern in (*patterns, mine, f"{mine}/**")]
        self._whole = [re.compile(_regex(pattern)) for pattern in parts]
        self._above = [
            re.compile(_regex(pattern[:depth]))
            for pattern in parts
            for depth in range(1, len(pattern))
        ]

    def all_of(self, path: str) -> bool:
        """Whether it stays with all that is in it."""
        return any(pattern.fullmatch(path) for pattern in self._whole)

    def some_in(self, path: str) -> bool:
        """Whether something in the directory may stay."""
        return any(pattern.fullmatch(path) for pattern in self._above)


def _regex(parts: Sequence[str]) -> str:
    text = ""
    for part in parts[:-1]:
        text += "(?:.*/)?" if part == "**" else f"{_one(part)}/"
    if parts[-1] != "**":
        return text + _one(parts[-1])
    # At the end it takes the directory before it too.
    return f"{text.removesuffix('/')}(?:/.*)?" if text.endswith("/") else f"{text}.*"


def _one(part: str) -> str:
    return re.escape(part).replace(r"\*", "[^/]*").replace(r"\?", "[^/]")

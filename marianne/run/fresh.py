"""Whether what a sheet makes is up to date, by the contents of files.

A program of its own, since to read large files takes long and a worker must go on: run by path
with ``-I -S``, little beside the standard library. ``fresh.py begin SPEC`` notes in the spec what
the sheet is about to be made of and exits with 0 if that, and what it made, is as it was when it
completed last; else it exits with 1 and says why. ``fresh.py done SPEC`` records what it was made
of and what it made; it exits with 2, and says what, where something was not made.

The spec is a map: ``workspace``; ``record``, the path of the record; ``basis``, a hash of what the
sheet does beside files; ``inputs``, ``outputs`` and ``needs`` (what each sheet before it makes, by
name), paths and glob patterns relative to the workspace; ``may_skip``.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

if not __package__:  # run by its path: it finds the package itself
    sys.path.append(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))

from marianne.regular_file import read_regular
from marianne.run.patterns import names

Seen = dict[str, dict[str, str]]

FRESH, STALE, NOT_MADE = 0, 1, 2
RECORD_BYTES = 1 << 28
"""More than the record of a million files; what is larger is none of ours."""

SETTLED_NS = 2_000_000_000
"""A file that was changed so shortly before it was looked at may have been changed once more
without its times showing it: it is read again."""


class Reader:
    """Hashes of files; those whose times and size are as they were are not read again."""

    def __init__(self, workspace: str, known: Mapping[str, Any]) -> None:
        self._workspace = workspace
        self._known = known
        self._now = time.time_ns()
        self.seen: dict[str, Any] = {}

    def read(self, patterns: Iterable[str]) -> Seen:
        """For each pattern what it matches, by path: a hash, or what it is if it is no file."""
        return {pattern: dict(sorted(self._matches(pattern).items())) for pattern in patterns}

    def _matches(self, pattern: str) -> dict[str, str]:
        found: dict[str, str] = {}
        walked: set[str] = set()
        for path in names(pattern, self._workspace):
            full = os.path.join(self._workspace, path)
            if not os.path.isdir(full):
                self._note(found, path)
                continue
            found[os.path.join(path, "")] = "directory"
            if full not in walked:
                for folder, _, files in os.walk(full):
                    walked.add(folder)
                    within = os.path.join(path, os.path.relpath(folder, full))
                    for name in files:
                        self._note(found, os.path.normpath(os.path.join(within, name)))
        return found

    def _note(self, found: dict[str, str], path: str) -> None:
        if path not in found:
            found[path] = self._hash(os.path.join(self._workspace, path))

    def _hash(self, path: str) -> str:
        try:
            found = os.stat(path)
            if not stat.S_ISREG(found.st_mode):
                return "no regular file"
            mark = [found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino]
            match self._known.get(path):
                case [before, str(digest), int(looked_at)] if (
                    before == mark and max(mark[:2]) + SETTLED_NS < looked_at
                ):
                    self.seen[path] = [mark, digest, looked_at]
                    return digest
            with open(path, "rb", buffering=0) as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            return f"unreadable: {error.strerror}"
        self.seen[path] = [mark, digest, self._now]
        return digest


def load(path: str) -> dict[str, Any]:
    """The map in the file; an empty one if there is none."""
    try:
        found = json.loads(read_regular(path, RECORD_BYTES))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _recorded(path: str) -> dict[str, dict[str, Any]]:
    """The record of the last completion. It lies in the workspace, where others write too: what is
    no map there is taken for an empty one."""
    found = load(path)
    parts = {name: found.get(name) for name in ("made_of", "outputs", "files")}
    return {name: part if isinstance(part, dict) else {} for name, part in parts.items()}


def _keep(path: str, content: Mapping[str, Any]) -> None:
    part = f"{path}.{os.getpid()}.part"
    try:
        with open(part, "w", encoding="utf-8") as file:
            json.dump(content, file)
        os.replace(part, path)
    except OSError:
        if os.path.exists(part):
            os.unlink(part)
        raise


def begin(spec: Mapping[str, Any], path: str) -> int:
    """See the head of this file. Returns the exit code."""
    why = look(spec, path)
    print(why or "up to date")
    return STALE if why else FRESH


def look(spec: Mapping[str, Any], path: str) -> str | None:
    """Notes in ``path`` what the sheet is about to be made of. Returns why it has to run."""
    record = _recorded(spec["record"])
    reader = Reader(spec["workspace"], record["files"])
    made_of = {
        "basis": spec["basis"],
        "inputs": reader.read(spec["inputs"]),
        "needs": {name: reader.read(patterns) for name, patterns in spec["needs"].items()},
    }
    outputs = reader.read(spec["outputs"])
    _keep(path, {**spec, "made_of": made_of, "files": reader.seen})
    why = "it runs again" if not spec["may_skip"] else _why(record, made_of, outputs)
    if why is None:
        _keep(spec["record"], {**record, "files": reader.seen})
    return why


def done(spec: Mapping[str, Any]) -> int:
    """See the head of this file. Returns the exit code."""
    missing = record(spec)
    if missing:
        print(", ".join(missing), "was" if len(missing) == 1 else "were", "not made")
        return NOT_MADE
    return FRESH


def record(spec: Mapping[str, Any]) -> list[str]:
    """Records what the sheet was made of and what it made, unless something was not made: returns
    that."""
    reader = Reader(spec["workspace"], spec.get("files", {}))
    outputs = reader.read(spec["outputs"])
    missing = [pattern for pattern, found in outputs.items() if not found]
    if not missing:
        files = {**spec.get("files", {}), **reader.seen}
        _make_place(os.path.dirname(spec["record"]))
        _keep(spec["record"], {"made_of": spec["made_of"], "outputs": outputs, "files": files})
    return missing


def _make_place(folder: str) -> None:
    """Of the records: no part of anybody's work, so that no version control takes it."""
    os.makedirs(folder, exist_ok=True)
    ignored = os.path.join(folder, ".gitignore")
    if not os.path.lexists(ignored):
        with open(ignored, "w", encoding="utf-8") as file:
            file.write("*\n")


def _why(record: Mapping[str, Any], made_of: Mapping[str, Any], outputs: Seen) -> str | None:
    """Why the sheet has to run; None if it need not."""
    if not record["made_of"]:
        return "it has not completed here before"
    for part, what in (("inputs", "the input"), ("needs", "what it needs of")):
        changed = _changed(record["made_of"].get(part), made_of[part])
        if changed:
            return f"{what} {changed} has changed"
    if record["made_of"].get("basis") != made_of["basis"]:
        return "what it does has changed"
    changed = _changed(record["outputs"], outputs)
    return f"the output {changed} has changed" if changed else None


def _changed(before: Any, now: Any) -> str | None:
    """The first name under which two maps of maps differ."""
    if before == now:
        return None
    before = before if isinstance(before, dict) else {}
    for name in sorted({*before, *now}):
        old, new = before.get(name), now.get(name)
        if old == new:
            continue
        inner = _changed(old, new) if isinstance(old, dict) and isinstance(new, dict) else None
        return inner or str(name)
    return "list"


def main(argv: Sequence[str]) -> int:
    """The program."""
    what, path = argv
    spec = load(path)
    try:
        return begin(spec, path) if what == "begin" else done(spec)
    except OSError as error:
        # It runs, or is not recorded and runs the next time: nobody is told that it is up to date.
        print(error.strerror, error.filename or "", file=sys.stderr)
        return STALE if what == "begin" else FRESH


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

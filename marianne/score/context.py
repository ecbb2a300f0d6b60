"""What earlier sheets and the workspace give to a prompt: outputs, captured files, injections.

Reads files, bounded in number and size, when an attempt begins; what is read is redacted and cut.
"""

from __future__ import annotations

import glob
import itertools
import os

from marianne.model.plan import Injection, Plan, SheetPlan
from marianne.regular_file import open_regular
from marianne.score.prompt import tail, template_variables
from marianne.score.redact import redact
from marianne.score.template import render

MAX_FILES = 200
MAX_FILE_BYTES = 2**20
MAX_INJECTED_BYTES = 8 * 2**20
_CUT = "\n... [cut]"


def read_output(path: str, limit: int) -> str:
    """The last ``limit`` characters of a sheet's output file, redacted; empty when it is gone."""
    # Twice as much and some more is read, so that a credential across the cut is still seen whole.
    wanted = limit * 4 + 4096
    try:
        with open(path, "rb") as stream:
            size = stream.seek(0, os.SEEK_END)
            stream.seek(max(0, size - wanted))
            raw = stream.read(wanted)
    except OSError:
        return ""
    return tail(redact(raw.decode("utf-8", "replace")), limit)


def capture_files(plan: Plan, sheet: SheetPlan) -> dict[str, str]:
    """The files that the sheet's ``capture_files`` patterns match, by path.

    A relative pattern is matched in the workspace and gives relative paths. What is found in the
    workspace has to lie there, whatever symlinks lead to it: a sheet could else show the next one
    any file of ours. Files elsewhere are those that the score itself names. Those that are not
    regular or cannot be read, and those after the first 200, are left out.
    """
    cross = sheet.cross_sheet
    if cross is None or not cross.capture_files:
        return {}
    names = template_variables(plan, sheet)
    found: dict[str, str] = {}
    for pattern in cross.capture_files:
        text = render(pattern, names)
        matches = glob.iglob(text, root_dir=plan.workspace, recursive=True)
        for path in sorted(itertools.islice(matches, MAX_FILES * 10)):
            full = os.path.join(plan.workspace, path)
            if len(found) >= MAX_FILES:
                continue
            content = _read_text(full, plan.workspace)
            if content is not None:
                content = redact(content)
                cut = content[: cross.max_output_chars]
                found[path] = cut if cut == content else cut + _CUT
    return found


def _leads_out(path: str, opened: int, workspace: str) -> bool:
    """Whether a path that begins in the workspace has led to a file outside of it. Asked of what
    is open: a sheet that runs beside may exchange what the path leads to."""
    if not _within(os.path.normpath(path), os.path.normpath(workspace)):
        return False
    return not _within(os.readlink(f"/proc/self/fd/{opened}"), os.path.realpath(workspace))


def _within(path: str, directory: str) -> bool:
    return path.startswith(os.path.join(directory, ""))


def read_injections(plan: Plan, sheet: SheetPlan) -> tuple[dict[str, str], list[str]]:
    """The texts of the sheet's injected files by kind (context, skill, tool), and what is missing.

    Paths are relative to the workspace. A binary file becomes an instruction to read it; a
    directory gives its files in the order of their names.
    """
    texts: dict[str, list[str]] = {}
    missing: list[str] = []
    room = MAX_INJECTED_BYTES
    for injection in sheet.injections:
        path = os.path.join(plan.workspace, injected_path(plan, sheet, injection))
        for name in _files_of(injection, path, missing):
            content = _read_text(name)
            if content is None:
                content = f"(Read the file {name} yourself: it is not text.)"
            if len(content) > room:
                missing.append(f"{name}: left out, the injected files are too large")
                continue
            room -= len(content)
            header = f"--- Input: {os.path.basename(name)} ---\n" if injection.directory else ""
            texts.setdefault(injection.kind, []).append(header + content)
    return {kind: "\n\n".join(parts) for kind, parts in texts.items()}, missing


def injected_path(plan: Plan, sheet: SheetPlan, injection: Injection) -> str:
    """The file or directory, absolute or relative to the workspace. Raises TemplateError."""
    return os.path.expanduser(render(injection.path, template_variables(plan, sheet)))


def _files_of(injection: Injection, path: str, missing: list[str]) -> list[str]:
    if not injection.directory:
        if os.path.isfile(path):
            return [path]
        missing.append(f"{path}: no such file ({injection.kind})")
        return []
    try:
        names = sorted(os.listdir(path))[:MAX_FILES]
    except OSError:
        missing.append(f"{path}: no such directory ({injection.kind})")
        return []
    files = [os.path.join(path, name) for name in names if not name.startswith(".")]
    return [name for name in files if os.path.isfile(name)]


def _read_text(path: str, workspace: str | None = None) -> str | None:
    """The start of a text file; None for a binary or an unreadable one, and for one that the path
    leads to out of ``workspace``."""
    try:
        with open_regular(path) as file:
            if workspace is not None and _leads_out(path, file.fileno(), workspace):
                return None
            raw = file.read(MAX_FILE_BYTES)
    except (OSError, ValueError):
        return None
    if b"\0" in raw[:8192]:
        return None
    return raw.decode("utf-8", "replace")

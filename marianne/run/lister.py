"""The program of a sheet whose list is a pattern or a JSON file.

Run by its path with ``-I -S``, in the workspace: ``lister.py glob|json FILE MOST``, where FILE
holds the pattern, or the name of the JSON file. Prints the list as JSON; what is wrong goes to
standard error in one line, with exit code 1. Needs little beside the standard library.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

if not __package__:  # run by its path: it finds the package itself
    sys.path.append(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))

from marianne.regular_file import read_regular
from marianne.run.patterns import names

MAX_BYTES = 8 << 20
_MAGIC = "*?["


def main(kind: str, path: str, most: int) -> int:
    """Prints the list. Returns the exit code."""
    with open(path, encoding="utf-8", errors="surrogateescape") as file:
        text = file.read().strip()
    try:
        items, prefix = matches(text, most) if kind == "glob" else (listed(text), "")
        _check_text(items)
    except OSError as error:
        print(f"{error.filename}: {error.strerror}", file=sys.stderr)
        return 1
    except (ValueError, RecursionError) as error:
        print(error, file=sys.stderr)
        return 1
    content = json.dumps({"items": items, "prefix": prefix}, ensure_ascii=False)
    sys.stdout.buffer.write(content.encode("utf-8", "surrogateescape"))
    return 0


def matches(pattern: str, most: int) -> tuple[list[str], str]:
    """The names that match, sorted, and the directory that all begin with. ``**`` is any
    directories; a name that begins with a dot is matched by a pattern that does."""
    found: set[str] = set()
    for name in names(pattern, os.curdir):
        found.add(name)
        if len(found) > most:
            raise ValueError(f"more than {most:,} names match {pattern!r}; max_items allows more")
    fixed = os.path.dirname(pattern)
    while any(char in fixed for char in _MAGIC):
        fixed = os.path.dirname(fixed)
    return sorted(found), fixed if fixed in ("", "/") else fixed + "/"


def _check_text(items: list[Any]) -> None:
    """ValueError for an item that is no UTF-8: the bytes of a file's name, half a pair in JSON."""
    for place, item in enumerate(items, 1):
        if isinstance(item, str) and not item.isascii():
            try:
                item.encode("utf-8")
            except UnicodeEncodeError:
                raise ValueError(f"item {place} of the list is not UTF-8: {_shown(item)}") from None


def _shown(item: str) -> str:
    try:
        return item.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    except UnicodeEncodeError:
        return ascii(item)


def listed(path: str) -> list[Any]:
    """The list in the file. ValueError when it is none."""
    raw = read_regular(path, MAX_BYTES + 1)
    if len(raw) > MAX_BYTES:
        raise ValueError(f"{path} is larger than {MAX_BYTES >> 20} MiB")
    try:
        found = json.loads(raw)
    except ValueError as error:
        raise ValueError(f"{path} is no JSON: {error}") from None
    if not isinstance(found, list):
        raise ValueError(f"{path} holds no list, but a {type(found).__name__}")
    return found


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))

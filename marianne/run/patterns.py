"""What a pattern matches among files: ``*``, ``?``, ``[…]`` in a name, ``**`` for any directories.

As ``glob`` has it, with one difference: ``**`` does not go through links to directories. Two of
them that lead back up make a tree without an end, which any sheet could plant in a workspace. A
link that the pattern names is followed. What begins with a dot is matched where the pattern says
so. Needs the standard library alone: programs that are run by their path use it.
"""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator

ANY = "**"


def names(pattern: str, root: str) -> Iterator[str]:
    """The names that match, relative to ``root`` or absolute as the pattern is; one may come twice.

    Those below a directory come without the directory itself.
    """
    parts = pattern.split("/")
    if ANY not in parts:
        yield from glob.iglob(pattern, root_dir=root)
        return
    at = parts.index(ANY)
    head, rest = "/".join(parts[:at]), "/".join(parts[at + 1 :]) or "*"
    head = "/" if at and not head else head
    for base in glob.iglob(head, root_dir=root) if head else [""]:
        top = os.path.join(root, base)
        for folder, folders, _ in os.walk(top):
            folders[:] = [name for name in folders if not name.startswith(".")]
            below = os.path.relpath(folder, top)
            within = base if below == os.curdir else os.path.join(base, below)
            for name in names(rest, folder):
                yield os.path.join(within, name)

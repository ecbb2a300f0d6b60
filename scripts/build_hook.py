"""Adds to a wheel, and to the sources, what is made from the program: manual pages, completions,
schemas.

Hatchling calls it (pyproject.toml). They stand in ``share/``. It is made where the program can be
imported, which `scripts/build` sees to, and stands in the sources that are released; from a bare
checkout they are left out, and an editable install needs none.
"""

from __future__ import annotations

import importlib.util
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

NEEDED = ("click", "pydantic", "yaml")


class ShareHook(BuildHookInterface):  # type: ignore[type-arg]
    """What ``share/`` holds goes to ``share/`` of the installation's prefix."""

    PLUGIN_NAME = "custom"
    _made: str | None = None

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Finds or makes it."""
        if version == "editable":
            return
        share = Path(self.root, "share")
        if not share.is_dir():
            if not all(map(importlib.util.find_spec, NEEDED)):
                self.app.display_warning("no manual pages: scripts/build makes them")
                return
            self._made = tempfile.mkdtemp()
            share = Path(self._made)
            make(Path(self.root), share)
        files = {str(f): f"share/{f.relative_to(share)}" for f in share.rglob("*") if f.is_file()}
        if self.target_name == "sdist":
            build_data["force_include"].update(files)
        else:
            to = {one: place.removeprefix("share/") for one, place in files.items()}
            build_data["shared_data"].update({f: f"share/{place}" for f, place in to.items()})

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """What was made for this build goes."""
        if self._made is not None:
            shutil.rmtree(self._made)


def make(root: Path, share: Path) -> None:
    """Writes all of it below ``share``, from the program in ``root``."""
    sys.path[:0] = [str(root), str(root / "scripts")]
    from package_parts import completions, manual, schemas

    for place, text in {**manual.pages(), **completions.files(), **schemas.files()}.items():
        file = share / place
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")

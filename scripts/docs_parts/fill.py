"""Runs the pages that are named (else all that are run); writes into them what is printed."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from docs_pages import environment, filled, pages


def main() -> None:
    for page in map(Path, sys.argv[1:]) if sys.argv[1:] else pages():
        with tempfile.TemporaryDirectory() as directory:
            place = Path(directory)
            env = environment(place)
            try:
                page.write_text(filled(page.read_text(), place, env))
            finally:
                subprocess.run(["marianne", "stop", "--force"], env=env, check=False)


main()

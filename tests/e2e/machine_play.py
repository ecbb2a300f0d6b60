"""A conductor whose disk is full, and who is told of it: the stage is a small tmpfs.

Run by test_machine_notices in a mount namespace of its own: ``python machine_play.py PLACE``.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from e2e_marianne import Marianne, until

from marianne.daemon.worker.of_no_job import in_memory


def configure(marianne: Marianne, word: str) -> None:
    """A receiver that writes down what it is told."""
    marianne.home.mkdir(mode=0o700, exist_ok=True)
    command = f"cat >> {marianne.place}/told"
    receiver = {"type": "command", "on_events": [word], "config": {"command": command}}
    (marianne.home / "conductor.yaml").write_text(json.dumps({"notifications": [receiver]}))


def told(marianne: Marianne) -> list[dict[str, Any]]:
    path = marianne.place / "told"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


QUICK = """import marianne.notify.facts
marianne.notify.facts.OVER_SECONDS = 10.0
"""
"""For a conductor that finds it as its sitecustomize: ten good seconds tell that trouble is over,
where it is a minute. How long it is stands in tests/marianne/notify."""


def main(place: Path) -> None:
    """The home lies on a tmpfs of 6 MB, which a file of zeros fills to the last byte."""
    home = place / "home"
    home.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=6m,mode=700", "tmpfs", home], check=True)
    marianne = Marianne(place)
    (place / "quick").mkdir()
    (place / "quick" / "sitecustomize.py").write_text(QUICK)
    marianne.env["PYTHONPATH"] = f"{place / 'quick'}:{marianne.env['PYTHONPATH']}"
    configure(marianne, "machine")
    zeros = home / "zeros"
    try:
        marianne("start")
        with open(zeros, "wb", buffering=0) as stream:
            for size in (1 << 16, 1 << 12):
                try:
                    while True:
                        stream.write(bytes(size))
                except OSError:
                    continue
        until(lambda: told(marianne))
        (trouble,) = told(marianne)
        assert trouble["data"]["kind"] == "storage", trouble
        assert "full" in trouble["error"], trouble
        owner = (home / "owner").read_text().split()[0]
        until(lambda: not in_memory(owner).exists())
        zeros.unlink()
        until(lambda: marianne("ready", code=None).code == 0)
        until(lambda: len(told(marianne)) == 2)
        (_, over) = told(marianne)
        assert over["data"]["kind"] == "storage", over
    finally:
        marianne("stop", "--force", code=None)
    print("all as it should be", flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
    os._exit(0)

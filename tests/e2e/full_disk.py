"""A conductor whose disk is full: the play, and the stage for it (a small tmpfs).

Run by test_full_disk in a mount namespace of its own: ``python full_disk.py PLACE``.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from e2e_marianne import Marianne, until

HELD = "touch begun.$MARIANNE_SHEET; until test -e go; do sleep 0.02; done"
SCORE = f"""
sheets:
  - {{name: first, run: '{HELD}; echo first >> log'}}
  - {{name: second, needs: [first], run: echo second >> log}}
  - {{name: beside, run: '{HELD}; echo beside >> log'}}
  - {{name: says, run: '{HELD}; echo says >> log; head -c 100000 /dev/zero'}}
"""
SMALL = "sheets: [{name: a, run: 'true'}]"


def _restarts(marianne: Marianne) -> dict[str, int]:
    nodes = marianne.tree().items()
    return {name: node["restarts"] for name, node in nodes if not name.startswith("job:")}


def play(
    marianne: Marianne, fill: Callable[[], object], free: Callable[[], object], *, kill: bool
) -> None:
    """A job runs, the disk fills, everything is refused in words, space returns, all goes on.

    With ``kill`` the conductor is killed while the disk is full.
    """
    marianne.submit("main", SCORE)
    until(lambda: len(list((marianne.place / "main").glob("begun.*"))) == 3)
    before, pids = _restarts(marianne), marianne.pids()
    fill()
    accepted: list[str] = []

    def refused() -> Any:
        name = f"small-{len(accepted)}"
        done = marianne("run", marianne.score(name, SMALL), "--json", code=None)
        if done.code == 0:
            accepted.append(name)
            return None
        return done

    done = until(refused, 60.0)
    assert done.code == 75, done
    assert done.json["error"]["code"] in ("pressure", "unavailable"), done
    words = done.json["error"]["message"]
    assert "full" in words or "cannot be written" in words, done
    # Who reads scores has met it; whoever looks at the disk does so once in a while.
    until(lambda: marianne("ready", code=None).code == 1)
    assert marianne("ready", "--json", code=1).json["storage"] != "ok"
    assert marianne("health", "--json").json["storage"] != "ok"
    assert marianne("conductor-status", "--json").json["storage"] != "ok"
    marianne("pause", "main", code=75)

    (marianne.place / "main" / "go").touch()
    log = marianne.place / "main" / "log"
    until(lambda: log.exists() and len(log.read_text().split()) >= 3)
    assert marianne.sheet("main", 2)["status"] in ("pending", "ready", "waiting")
    assert "none begins under this pressure: " in marianne("explain", "main").out

    if kill:
        os.kill(pids["conductor"], signal.SIGKILL)
        until(lambda: marianne.pids()["conductor"] != pids["conductor"] and marianne.serves())
        assert marianne("ready", "--json", code=1).json["storage"] != "ok"
        before, pids = _restarts(marianne), marianne.pids()

    free()
    until(lambda: marianne("ready", code=None).code == 0)
    assert marianne.wait("main")["status"] == "completed"
    first, second, beside, _ = (s["attempt"] for s in marianne.status("main")["sheets"])
    assert (first, beside) == (1, 1)
    assert second <= 3, "it was started again and again on a full disk"
    written = [word for word in log.read_text().split() if word != "says"]
    assert sorted(written) == ["beside", "first", "second"]
    for job in accepted:
        assert marianne.wait(job)["status"] == "completed"
    marianne("run", marianne.score("later", SMALL), "--wait")
    listed = marianne("list", "--all", "--limit", "1000", "--json").json
    assert {job["job_id"] for job in listed} == {"main", "later", *accepted}
    assert (_restarts(marianne), marianne.pids()) == (before, pids)


def main(place: Path) -> None:
    """Makes the stage: the home on a tmpfs of 6 MB, which a file of zeros fills."""
    home = place / "home"
    home.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=6m,mode=700", "tmpfs", home], check=True)
    marianne = Marianne(place)
    zeros = home / "zeros"

    def fill() -> None:
        with open(zeros, "wb", buffering=0) as stream:
            for size in (1 << 16, 1 << 12):
                try:
                    while True:
                        stream.write(bytes(size))
                except OSError:
                    continue

    try:
        play(marianne, fill, zeros.unlink, kill=True)
    finally:
        marianne("stop", "--force", code=None)
    print("all as it should be", flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
    os._exit(0)

"""What a spare worker plays before it has a job."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

PLAY = """
import json, os, signal, sys
from marianne.run.rehearsal import rehearse
from marianne.run.tools import Tools
from marianne.run.worker import JobWorker

def play():
    stage = rehearse(lambda settings, line: JobWorker(settings, line, Tools()), sys.argv[1], "me")
    results = [r for m in stage.said for r in (*m.get("unacked", ()), *m.get("results", ()))]
    return sorted({result["category"] for result in results}), sorted(os.listdir("/proc/self/fd"))

before = [signal.getsignal(s) for s in (signal.SIGTERM, signal.SIGCHLD)]
first, second = play(), play()
after = [signal.getsignal(s) for s in (signal.SIGTERM, signal.SIGCHLD)]
print(json.dumps([first[0], second[0], first[1] == second[1], before == after]))
"""


def test_it_goes_through_a_whole_attempt_again_and_again_and_leaves_nothing_behind(
    tmp_path: Path,
) -> None:
    # In a process of its own: a worker takes signals and the working directory.
    command = [sys.executable, "-c", PLAY, str(tmp_path / "rehearsal")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True)
    assert done.stderr == ""
    assert json.loads(done.stdout) == [["not_found"], ["not_found"], True, True]
    assert {path.name for path in (tmp_path / "rehearsal").iterdir()} == {"sheets", "spool"}

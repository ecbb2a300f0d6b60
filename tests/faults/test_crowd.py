"""A crowd at the door: useless scores and idle connections, more than there are descriptors."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "e2e"))

from e2e_marianne import PROGRAM, Marianne, until

from ipc.client import Client
from ipc.errors import RemoteError

pytestmark = [pytest.mark.slow, pytest.mark.e2e]

FILES = 1024
TWENTY = "sheets:\n" + "".join(
    f"  - {{name: s{n}, run: 'echo {n}'" + (f", needs: [s{n - 1}]" if n else "") + "}\n"
    for n in range(20)
)
CROWD = """
import resource, socket, sys
resource.setrlimit(resource.RLIMIT_NOFILE, (4096, 4096))
held = []
for path, count in zip(sys.argv[1::2], map(int, sys.argv[2::2])):
    for _ in range(count):
        held.append(socket.socket(socket.AF_UNIX))
        held[-1].connect(path)
print("ready", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def marianne(tmp_path: Path) -> Iterator[Marianne]:
    """A conductor that can have 1,024 files and no more."""
    program = Marianne(tmp_path)
    limited = f"ulimit -n {FILES}; exec {PROGRAM} start"
    subprocess.run(["bash", "-c", limited], env=program.env, cwd=tmp_path, check=True)
    yield program
    program("stop", "--force", code=None)
    until(lambda: not program.processes())


def _descriptors(marianne: Marianne) -> int:
    return len(os.listdir(f"/proc/{marianne.pids()['conductor']}/fd"))


def _submit_fifos(marianne: Marianne, count: int, told: Counter[str]) -> None:
    with Client(marianne.home / "conductor.sock") as client:
        for _ in range(count):
            try:
                params = {"config_path": "pipe", "client_cwd": str(marianne.place)}
                client.request("job.submit", params, 60.0)
            except RemoteError as error:
                told[error.code] += 1


def test_a_job_completes_beside_useless_scores_and_idle_connections(marianne: Marianne) -> None:
    os.mkfifo(marianne.place / "pipe")
    before, pid = _descriptors(marianne), marianne.pids()["conductor"]
    places = {"conductor.sock": 800, "events.sock": 200, "workers2.sock": 200}
    arguments = [str(part) for name, n in places.items() for part in (marianne.home / name, n)]
    crowd = subprocess.Popen(
        [sys.executable, "-c", CROWD, *arguments], stdin=-1, stdout=-1, text=True
    )
    told: Counter[str] = Counter()
    threads = [threading.Thread(target=_submit_fifos, args=(marianne, 100, told)) for _ in range(6)]
    try:
        for thread in threads:
            thread.start()
        job = marianne.submit("twenty", TWENTY)
        assert crowd.stdout is not None
        assert crowd.stdout.readline() == "ready\n"
        for thread in threads:
            thread.join(120.0)
        assert told == {"invalid_score": 600}
        assert marianne.wait(job)["progress"]["completed"] == 20
        assert marianne("ready", "--json").json["status"] == "ready"
        assert marianne.submit("after", TWENTY) == "after"  # as `ready` says
        assert marianne.wait("after")["status"] == "completed"
        assert marianne.pids()["conductor"] == pid
        assert not [node for node in marianne.tree().values() if node["last_crash"]]
    finally:
        crowd.kill()
        crowd.communicate()
    until(lambda: _descriptors(marianne) < before + 20)
    assert not [line for line in marianne.processes().values() if "marianne-parse" in line]

"""What a node promises: a claim before a start, nothing left after a lease, nothing lost."""

from __future__ import annotations

import os
import select
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from warden_stage import Node, alive, until

pytestmark = pytest.mark.slow

DAEMON = "setsid bash -c 'trap \"\" TERM; exec -a $TAG sleep 600' & sleep 600"


@pytest.fixture
def nodes(tmp_path: Path) -> Iterator[Callable[..., Node]]:
    made: list[Node] = []

    def make(name: str = "node-1", lease: float = 60.0, **more: Any) -> Node:
        made.append(Node(tmp_path / name, name, lease, **more))
        return made[-1]

    yield make
    for node in made:
        node.close()


def test_a_job_is_opened_and_its_sheets_run(nodes: Callable[..., Node]) -> None:
    node = nodes()
    node.start()
    node.open("echo one > one", "exit 3")
    node.wait("job", job="hello")
    node.run((1, 1), (2, 1))
    found = {result["num"]: result for result in node.results(2)}
    assert found[1]["outcome"] == "completed"
    assert found[2]["exit_code"] == 3
    assert (node.workspace / "one").read_text() == "one\n"
    node.send("close", job_id="a-job", grace=0.5)
    node.wait("closed", job_id="a-job")
    assert not node.workers()


def test_sheets_find_the_variables_of_the_place_over_their_own(nodes: Callable[..., Node]) -> None:
    node = nodes(environment={"PLACE": "here", "PATH": os.environ["PATH"] + ":/more"})
    node.start()
    node.open('echo "$PLACE" "$PATH" > found')
    node.wait("job", job="hello")
    node.run((1, 1))
    node.results(1)
    assert (node.workspace / "found").read_text() == f"here {os.environ['PATH']}:/more\n"


def test_what_runs_for_as_long_as_its_node_lives_has_failed(nodes: Callable[..., Node]) -> None:
    node = nodes(lifetime_seconds=1.0)
    process = node.start()
    node.open("sleep 600", "sleep 1.5; touch half; sleep 600")
    node.wait("job", job="hello")
    node.run((1, 1), (2, 1))
    until(lambda: node.pump() or (node.workspace / "half").exists())
    process.terminate()
    for result in node.results(2):
        assert (result["outcome"], result["category"]) == ("failed", "timeout")
        assert "as long as its node lives (1 s)" in result["message"]
    assert node.spooled() == ["timeout", "timeout"]


FORGER = """
import socket, struct, sys
from ipc.codec import pack
line = socket.socket(socket.AF_UNIX)
line.connect(sys.argv[1])
for order in ({"kind": "close", "job_id": "a-job", "grace": 0.0},
              {"kind": "job", "job_id": "a-job", "message": {"kind": "stop", "grace": 0.0}}):
    data = pack(order)
    try:
        line.sendall(struct.pack(">I", len(data)) + data)
    except OSError:
        break
try:
    print(len(line.recv(1)))
except OSError:
    print(0)
"""


def test_a_sheet_gives_its_own_warden_no_orders(nodes: Callable[..., Node]) -> None:
    node = nodes()
    node.start()
    root, place = Path(__file__).parents[3], node.folder / "warden.sock"
    (node.workspace / "forger.py").write_text(FORGER)
    forge = f"PYTHONPATH={root} {sys.executable} forger.py {place} > told"
    # Also by a process that has left its parents, and its session.
    node.open(forge, f"(setsid sh -c '{forge}2' &); until test -s told2; do sleep 0.05; done")
    node.wait("job", job="hello")
    node.run((1, 1), (2, 1))
    assert {one["outcome"] for one in node.results(2)} == {"completed"}
    assert (node.workspace / "told").read_text() == "0\n"
    assert (node.workspace / "told2").read_text() == "0\n"
    assert node.workers(), "nobody has closed the job"


def test_an_attempt_that_another_node_has_claimed_is_refused_with_its_name(
    nodes: Callable[..., Node],
) -> None:
    first, second = nodes("node-1"), nodes("node-2")
    for node in (first, second):
        node.start()
        node.open("echo here >> ran")
        node.wait("job", job="hello")
    first.run((1, 1))
    first.results(1)
    second.run((1, 1))
    assert second.wait("refused")["attempts"] == [[1, 1, "node-1"]]
    assert (first.workspace / "ran").read_text() == "here\n"


def test_when_the_lease_is_over_all_is_ended_and_told_as_lost(nodes: Callable[..., Node]) -> None:
    node = nodes(lease=1.0)
    node.start()
    node.open(DAEMON)
    node.run((1, 1))
    until(lambda: node.pump() or alive(node.tag))
    node.renews = False
    until(lambda: not alive(node.tag) and not node.workers())
    assert node.spooled() == ["lost"]


def test_a_warden_that_is_stopped_keeps_nothing_running_beyond_its_lease(
    nodes: Callable[..., Node],
) -> None:
    node = nodes(lease=1.0)
    process = node.start()
    node.open(DAEMON)
    node.run((1, 1))
    until(lambda: node.pump() or alive(node.tag))
    process.send_signal(signal.SIGSTOP)
    until(lambda: not alive(node.tag))
    process.send_signal(signal.SIGCONT)
    # What has ended is gone before its worker has written down how.
    assert until(node.spooled) == ["lost"]


def test_without_a_lease_nothing_begins(nodes: Callable[..., Node]) -> None:
    node = nodes(lease=1.0)
    node.start()
    node.open("echo one > one")
    node.wait("job", job="hello")
    node.renews = False
    node.wait("closed", job_id="a-job")
    node.run((1, 1))
    assert node.wait("refused")["attempts"] == [[1, 1, ""]]
    node.open("echo one > one")
    assert "lease" in node.wait("trouble")["why"]
    assert not (node.workspace / "one").exists()


def test_of_a_warden_that_is_killed_nothing_is_left_and_the_next_tells_it(
    nodes: Callable[..., Node],
) -> None:
    node = nodes()
    process = node.start()
    node.open(DAEMON)
    node.run((1, 1))
    until(lambda: node.pump() or alive(node.tag))
    process.kill()
    process.wait()
    until(lambda: not alive(node.tag))
    node.start()
    node.open(DAEMON)
    hello = node.wait("job", job="hello")
    assert [one["category"] for one in hello["unacked"]] == ["lost"]


def test_what_outlives_warden_and_worker_is_ended_by_the_next_warden(
    nodes: Callable[..., Node],
) -> None:
    node = nodes()
    process = node.start()
    node.open(DAEMON)
    node.run((1, 1))
    until(lambda: node.pump() or alive(node.tag))
    (worker,) = node.workers()
    for pid in (process.pid, worker):
        os.kill(pid, signal.SIGSTOP)
    for pid in (process.pid, worker):
        os.kill(pid, signal.SIGKILL)
    process.wait()
    assert alive(node.tag)
    node.start()
    assert not alive(node.tag)


def test_a_worker_that_is_killed_is_replaced_and_what_it_ran_is_told_as_lost(
    nodes: Callable[..., Node],
) -> None:
    node = nodes()
    node.start()
    node.open(DAEMON)
    node.run((1, 1))
    until(lambda: node.pump() or alive(node.tag))
    os.kill(node.workers()[0], signal.SIGKILL)
    assert "SIGKILL" in node.wait("trouble")["why"]
    hello = node.wait("job", job="hello", running=[])
    assert [one["category"] for one in hello["unacked"]] == ["lost"]
    assert not alive(node.tag)


def test_a_second_connection_takes_the_place_of_the_first_and_hears_of_its_jobs(
    nodes: Callable[..., Node],
) -> None:
    node = nodes()
    node.start()
    node.open("sleep 600")
    node.wait("job", job="hello")
    node.run((1, 1))
    node.wait("job", job="results", results=[])
    assert node.connect()["jobs"] == ["a-job"]
    node.send("job", job_id="a-job", message={"kind": "report", "round": 7})
    assert node.wait("job", job="hello", round=7)["running"] == [[1, 1]]


def test_a_job_whose_place_cannot_be_made_waits_and_the_reason_names_the_place(
    nodes: Callable[..., Node],
) -> None:
    node = nodes()
    node.start()
    node.job_dir.mkdir()
    (node.job_dir / "nodes").write_text("in the way")
    node.open("true")
    node.run((1, 1))
    assert "nodes/node-1" in node.wait("trouble")["why"]
    assert node.wait("refused")["attempts"] == [[1, 1, ""]]
    assert not (node.job_dir / "claims" / "1.1").exists()


def test_a_node_that_is_checked_runs_a_program(nodes: Callable[..., Node]) -> None:
    node = nodes()
    node.start()
    node.send("check")
    assert node.wait("checked")["status"] == 0


def test_a_second_warden_of_a_directory_ends_at_once(nodes: Callable[..., Node]) -> None:
    node = nodes()
    first = node.start()
    second = node.start()
    assert second.wait(60.0) == 0
    assert first.poll() is None


def test_who_is_told_to_leave_ends_what_is_there_and_itself(nodes: Callable[..., Node]) -> None:
    node = nodes()
    process = node.start()
    node.open(DAEMON)
    node.run((1, 1))
    until(lambda: node.pump() or alive(node.tag))
    node.send("leave")
    assert process.wait(60.0) == 0
    assert not alive(node.tag)
    assert node.spooled() == ["stopped"]


@pytest.mark.parametrize(("left", "category"), [(60.0, "timeout"), (3600.0, "stopped")])
def test_what_runs_at_the_end_of_its_own_batch_job_has_failed_by_its_limit(
    nodes: Callable[..., Node], left: float, category: str
) -> None:
    node = nodes(ends_at=time.time() + left)
    process = node.start()
    node.open("touch begun; sleep 600")
    node.wait("job", job="hello")
    node.run((1, 1))
    until(lambda: node.pump() or (node.workspace / "begun").exists())
    process.terminate()
    (result,) = node.results(1)
    assert result["category"] == category
    assert node.spooled() == [category]  # where it is looked for once nobody is connected


HASTY = """
import sys, pathlib
import marianne.executors.warden.warden as module
from marianne.executors.warden.__main__ import main
module.ALONE_SECONDS = 0.5
main(pathlib.Path(sys.argv[1]))
"""


def test_a_warden_to_whom_only_somebody_comes_that_it_does_not_fit_ends(
    nodes: Callable[..., Node],
) -> None:
    """An upgrade: the old one stood in the new one's way for ever."""
    node = nodes(lease=1.0)
    node.program = ("-c", HASTY)
    node.renews = False
    process = node.start()
    deadline = time.monotonic() + 60.0
    while process.poll() is None:
        assert time.monotonic() < deadline, "it goes on"
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as comes:
            with suppress(OSError):
                comes.connect(str(node.folder / "warden.sock"))
            select.select([], [], [], 0.1)
    assert process.wait() == 0


def test_who_is_about_to_end_says_so_before_what_has_ended(nodes: Callable[..., Node]) -> None:
    node = nodes()
    process = node.start()
    node.open("touch begun; sleep 600")
    node.wait("job", job="hello")
    node.run((1, 1))
    until(lambda: node.pump() or (node.workspace / "begun").exists())
    process.terminate()
    node.wait("leaving")
    (result,) = node.results(1)
    assert result["category"] == "stopped"

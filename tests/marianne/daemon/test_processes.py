"""Processes of ours: where they come from, what they find, and on which core they are."""

from __future__ import annotations

import os
import stat
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from handler_stage import Desk, desk_in

from ipc import codec
from marianne.daemon.pgroup import ProcessGroupManager
from marianne.daemon.processes.affinity import stay_on_one_core
from marianne.daemon.services.parse_child import parse
from marianne.daemon.shared.handoff import Entry
from marianne.daemon.shared.parsed import Parsed, ParseRequest
from marianne.daemon.worker import employment as employing
from marianne.daemon.worker.employment import PIPE_ROOM, Employment
from marianne.daemon.worker.fleet import Fleet
from marianne.daemon.worker.identity import proof_of
from marianne.daemon.worker.job_files import lay_out
from marianne.daemon.worker.socket import Link
from marianne.daemon.worker.starts import Starts
from marianne.run.procfs import boot_id
from marianne.score.pack import unpack_plan
from marianne.state.changes import UpdateJob
from marianne.state.models import JobRow, JobStatus


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with desk_in(tmp_path) as desk:
        yield desk


# -- files and threads --------------------------------------------------------------------------


def test_what_a_worker_reads_is_whole_and_private(tmp_path: Path) -> None:
    directory = tmp_path / "jobs" / "a"
    lay_out(directory, b"old plan", b"old")
    lay_out(directory, b"plan", b"secret")
    assert sorted(path.name for path in directory.iterdir()) == ["env", "plan"]
    assert (directory / "plan").read_bytes() == b"plan"
    assert (directory / "env").read_bytes() == b"secret"
    modes = [stat.S_IMODE(path.stat().st_mode) for path in (directory, directory / "env")]
    assert modes == [0o700, 0o600]


def test_two_that_lay_out_a_job_at_once_do_not_come_between_each_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A notice of its start, and its worker: the one renamed what the other was writing."""
    begun = threading.Event()
    rename = Path.rename

    def later(self: Path, target: Path) -> Path:
        if not begun.is_set():
            begun.set()
            lay_out(tmp_path, b"plan", b"env")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", later)
    lay_out(tmp_path, b"plan", b"env")
    found = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert found == {"plan": b"plan", "env": b"env"}


def test_starts_queue_in_a_thread_of_their_own_and_an_error_is_the_askers(desk: Desk) -> None:
    starts, threads = Starts(desk.system), set[int]()

    def start(number: int) -> int:
        threads.add(threading.get_ident())
        if number == 2:
            raise OSError("no process left")
        return number

    futures = [starts.ask(lambda number=number: start(number), "test") for number in (1, 2, 3)]
    assert futures[0].get(5.0) == 1
    with pytest.raises(OSError, match="no process left"):
        futures[1].get(5.0)
    assert futures[2].get(5.0) == 3
    assert threads.isdisjoint({threading.get_ident()})
    assert len(threads) == 1


def test_a_thread_that_cannot_be_had_is_an_oserror_and_the_next_start_tries_again(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    starts = Starts(desk.system)

    def no_thread(self: object) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", no_thread)
        future = starts.ask(lambda: 1, "test")
    with pytest.raises(OSError, match="can't start new thread"):
        future.get(5.0)
    assert starts.ask(lambda: 2, "test").get(5.0) == 2


def test_a_thread_stays_on_the_core_it_runs_on_and_says_which_it_had() -> None:
    found: list[Any] = []

    def bound() -> None:
        found.append(stay_on_one_core())
        found.append(os.sched_getaffinity(0))

    thread = threading.Thread(target=bound)
    thread.start()
    thread.join()
    before, now = found
    assert before == os.sched_getaffinity(0)
    assert len(now) == 1
    assert now <= before


# -- what a job's first actors are given --------------------------------------------------------


def spare(sent: list[Any] | None = None, *, dead: bool = False) -> Any:
    def employ(settings: dict[str, Any], name: str) -> bool:
        if sent is not None:
            sent.append(settings)
        return not dead

    return SimpleNamespace(
        process=SimpleNamespace(pid=7, start_time=70),
        proof=b"proof",
        employ=employ,
        dismiss=lambda: sent.append("dismissed") if sent is not None else None,
    )


def row() -> JobRow:
    return JobRow("a", "a", JobStatus.RUNNING, "/w", 1.0, 1)


def entry(plan: bytes = b"plan", environment: bytes = b"env") -> Entry:
    return Entry(row(), plan, environment)


def employment(desk: Desk, chosen: Any = None) -> tuple[Employment, Fleet]:
    config = SimpleNamespace(
        orphan_grace_seconds=1.0,
        sheet_grace_seconds=2.0,
        output_limit_mb=3,
        preflight=SimpleNamespace(tokens=(0, 0)),
        limits=SimpleNamespace(given={}),
    )
    desk.context.config, desk.context.owner, desk.context.start_time = config, "owner", 5
    desk.context.trace_seed = None
    fleet = Fleet(desk.system, ProcessGroupManager())
    if chosen is not None:
        fleet.chosen["a"] = chosen
    return Employment(desk.context, fleet, "a"), fleet


@pytest.mark.parametrize(
    ("plan", "piped"), [(b"x" * (PIPE_ROOM - 3), True), (b"x" * (PIPE_ROOM - 2), False)]
)
def test_the_chosen_process_is_told_of_its_job_in_its_pipe_if_that_fits_or_in_files(
    desk: Desk, plan: bytes, piped: bool
) -> None:
    sent: list[Any] = []
    hires, fleet = employment(desk, spare(sent))
    given = entry(plan)
    given.row.options = {"fresh": True, "archives": False}
    employed = hires.chosen(given)
    assert employed is not None
    assert employed.record()["worker_pid"] == 7
    assert fleet.chosen == {}, "it has a job: nobody else may take it"
    ((settings,),) = (sent,)
    assert (settings["job_id"], settings["output_limit_bytes"]) == ("a", 3 * 2**20)
    assert (settings["fresh"], settings["anew"]) == (False, True)
    if piped:
        assert settings["given"] == {"plan": plan, "env": b"env"}
    else:
        assert (desk.home.job_dir("a") / "plan").read_bytes() == plan


def test_a_chosen_process_that_has_died_is_dismissed(desk: Desk) -> None:
    sent: list[Any] = []
    given = entry()
    assert employment(desk, spare(sent, dead=True))[0].chosen(given) is None
    assert sent[-1] == "dismissed"
    assert not given.blank


def test_a_chosen_process_whose_job_went_on_by_the_database_ends(desk: Desk) -> None:
    sent: list[Any] = []
    hires, fleet = employment(desk, spare(sent))
    assert hires.chosen(None) is None
    assert (sent, fleet.chosen) == (["dismissed"], {})


def test_a_process_is_blank_only_if_it_is_connected_and_nobody_worked_there_before(
    desk: Desk,
) -> None:
    hires, fleet = employment(desk)
    name = fleet.peers.new()
    fleet.reached.add(name)
    for blank in (True, False):
        fleet.chosen["a"] = worker = spare([])
        worker.proof = proof_of(name)
        given = entry()
        assert hires.chosen(given) is not None
        assert given.blank is blank


def test_a_recorded_process_of_another_boot_or_that_was_swept_is_none(desk: Desk) -> None:
    desk.insert("a")
    hires, fleet = employment(desk)
    assert hires.recorded() is None
    fields = {"worker_pid": 7, "worker_start_time": 70, "worker_boot_id": "another"}
    desk.write(UpdateJob("a", fields))
    assert hires.recorded() is None
    desk.write(UpdateJob("a", {"worker_boot_id": boot_id()}))
    fleet.swept = {"a": (7, 70)}
    assert hires.recorded() is None


def test_the_spare_is_employed_by_what_is_on_disk_and_another_takes_its_place(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.insert("a")
    hires, fleet = employment(desk)
    sent: list[Any] = []
    worker = spare(sent)
    worker.process.alive = lambda: True
    fleet.spare.put(worker)
    monkeypatch.setattr(employing, "keeper_of", lambda context: desk.post.handle("spare"))
    assert hires.another().get(1.0) is worker
    assert desk.post.asked == [("spare", "taken")]
    assert hires.employ(worker) is not None
    assert sent[0]["job_dir"] == str(desk.home.job_dir("a"))
    assert (desk.home.job_dir("a") / "env").read_bytes() == b"\x80"


# -- the link -----------------------------------------------------------------------------------


class Router:
    """Notes what is sent to whom."""

    def __init__(self) -> None:
        self.sent: list[tuple[bytes, Any]] = []

    def send(self, identity: bytes, payload: bytes) -> None:
        self.sent.append((identity, codec.unpack(payload)))


def link(desk: Desk) -> tuple[Any, Fleet, list[Any]]:
    fleet = employment(desk)[1]
    found: Any = Link(desk.context, fleet)
    router = found._routers[False] = Router()
    heard: list[Any] = []
    desk.context.worker = lambda job_id: SimpleNamespace(
        tell=lambda method, *args: heard.append((job_id, method.__name__, *args))
    )
    found.sent = router.sent
    return found, fleet, heard


def test_a_worker_of_a_job_is_heard_by_that_jobs_actor_and_asked_how_it_stands(desk: Desk) -> None:
    socket, fleet, heard = link(desk)
    peers = fleet.peers
    name = peers.new()
    socket._connected(name, socket._job_of(name, plain=False))
    assert socket.sent == [], "it has no job yet, and so nothing to say"
    peers.expect(proof_of(name), "a")
    socket._connected(name, socket._job_of(name, plain=False))
    assert socket.sent == [(name, {"kind": "report"})]
    assert name in fleet.reached
    socket._received(name, codec.pack({"kind": "bye"}), "a")
    assert [message[:4] for message in heard] == [("a", "received", name, "bye")]


def test_a_stranger_is_neither_heard_nor_answered_and_counted(desk: Desk) -> None:
    socket, fleet, heard = link(desk)
    job_id = socket._job_of(b"guarded-somebody", plain=False)
    socket._connected(b"guarded-somebody", job_id)
    socket._received(b"guarded-somebody", codec.pack({"kind": "bye"}), job_id)
    assert (socket.sent, heard) == ([], [])
    assert fleet.reached == set()
    assert fleet.peers.refused == 1


@pytest.mark.parametrize("plain", [True, False])
def test_a_name_is_good_at_the_socket_of_its_kind_alone(desk: Desk, *, plain: bool) -> None:
    socket, fleet, _ = link(desk)
    name = fleet.peers.new(guarded=not plain)
    fleet.peers.expect(proof_of(name), "a")
    assert socket._job_of(name, plain=plain) == "a"
    assert socket._job_of(name, plain=not plain) is None


@pytest.mark.parametrize("payload", [b"\xc1", codec.pack([1]), codec.pack({"kind": "nonsense"})])
def test_what_a_worker_says_is_checked_before_anybody_hears_it(desk: Desk, payload: bytes) -> None:
    socket, fleet, heard = link(desk)
    name = fleet.peers.new()
    fleet.peers.expect(proof_of(name), "a")
    socket._received(name, payload, socket._job_of(name, plain=False))
    assert heard == []
    assert fleet.peers.refused == 1


# -- reading a score ----------------------------------------------------------------------------


def read(text: str, **more: Any) -> dict[str, Any]:
    values = {"path": None, "text": text, "base_dir": "/b", "workspace": None, "variables": {}}
    return parse(ParseRequest(**values, instruments="/none", search_path="/usr/bin:/bin", **more))


def test_a_score_that_is_read_is_a_plan_and_what_the_manager_needs_of_it() -> None:
    text = "name: one\nworkspace: ./w\nsheets: [{name: a, run: 'true'}, {name: b, run: 'true'}]\n"
    found = read(text, preview=True)
    parsed = Parsed(**found)
    assert (parsed.name, parsed.workspace, parsed.sheet_count) == ("one", "/b/w", 2)
    assert parsed.preview is not None
    assert [sheet["num"] for sheet in parsed.preview["sheets"]] == [1, 2]
    assert len(unpack_plan(parsed.plan).sheets) == 2
    assert parsed.score == text
    assert parsed.repeatable
    assert ("bash", True) in [(os.path.basename(name), there) for name, there in parsed.programs]
    assert read(text)["preview"] is None, "the texts are not wanted by most"


def test_who_looks_before_running_has_the_scripts_read_too() -> None:
    text = "name: one\nsheets:\n  - {name: a, run: fi}\n  - {name: b, run: 'true'}\n"
    assert read(text, preview=True)["problems"][0]["line"] == 3
    sheets = read(text.replace("fi", "ls"), preview=True, first=2)["preview"]["sheets"]
    assert [sheet["runs"] for sheet in sheets] == [False, True]


def test_what_is_wrong_with_a_score_is_named_with_its_line() -> None:
    found = read("name: one\nsheets:\n  - {name: a, rum: 'true'}\n")
    assert set(found) == {"problems", "message"}
    assert found["problems"][0]["line"] == 3
    assert "rum" in found["message"]

"""Boot: the tree's order, the service manager, a private home, how a start and its end are told."""

from __future__ import annotations

import asyncio
import gc
import os
import re
import select
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from admission_stage import until
from context_stage import context_in

from actors import AskTimeout, ExitReason, StartError, System
from marianne.daemon import __main__ as program
from marianne.daemon import process as process_module
from marianne.daemon.at_once import at_once
from marianne.daemon.boot import conductor, embedded, tree
from marianne.daemon.boot.conductor import EXIT_FAILED, EXIT_RUNNING, EXIT_UNUSABLE, unusable
from marianne.daemon.boot.embedded import Embedded
from marianne.daemon.boot.executors import executor_of
from marianne.daemon.boot.systemd import ServiceManager
from marianne.daemon.config import DaemonConfig
from marianne.daemon.context import Context
from marianne.daemon.manager import JobManager
from marianne.daemon.process import DaemonProcess
from marianne.daemon.processes.host import OwnProcess
from marianne.daemon.services.parser import PARSE
from marianne.daemon.worker.executor import LocalExecutor
from marianne.home import Home, HomeError
from marianne.run.removal import REMOVE
from marianne.state.errors import DatabaseCorrupt, DatabaseTooNew

SOURCES = "".join(path.read_text() for path in Path(conductor.__file__).parents[1].rglob("*.py"))
ARCHITECTURE = Path(__file__).parents[3] / "docs" / "architecture.md"


# -- the tree -----------------------------------------------------------------------------------


def test_who_stands_on_another_is_started_after_it_and_the_server_is_the_last() -> None:
    executor = SimpleNamespace(services=lambda: ["its own"])
    children = tree.children(SimpleNamespace(executor=executor))  # type: ignore[arg-type]
    names = [child.id for child in children]
    assert names == ["store", "services", "scheduler", "jobs", "manager", "server"]
    assert children[1].kwargs["strategy"] == "one_for_one"
    assert children[1].kwargs["children"][-1] == "its own"
    chapter = ARCHITECTURE.read_text().partition("## Processes and actors")[2]
    picture = chapter.partition("```\n\n")[0]
    assert set(re.findall(r"[a-z]+", picture)) >= set(names)


def test_sheets_run_on_this_machine_unless_another_executor_is_chosen(tmp_path: Path) -> None:
    context = context_in(tmp_path, System("boot"), kind=Context)
    assert isinstance(executor_of(context), LocalExecutor)


# -- the service manager ------------------------------------------------------------------------


@pytest.fixture
def supervisor(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(tmp_path / "notify"))
        listening.settimeout(30.0)
        yield listening


class Tree:
    """A context whose health checker and manager answer, unless they are ``stuck``."""

    heart_pid = 77

    def __init__(self) -> None:
        self.stuck = False
        self.unanswered = 0
        self.health = self.manager = SimpleNamespace(within=lambda seconds: self)

    def ask(self, question: object) -> None:
        if self.stuck:
            self.unanswered += 1
            raise AskTimeout("stuck")


def test_a_service_manager_hears_ready_with_the_hearts_pid_and_stopping(
    supervisor: socket.socket,
) -> None:
    service = ServiceManager({"NOTIFY_SOCKET": supervisor.getsockname()})
    service.ready(Tree())  # type: ignore[arg-type]
    assert supervisor.recv(1_000) == b"READY=1\nMAINPID=77\nSTATUS=serving"
    service.stopping()
    assert supervisor.recv(1_000).startswith(b"STOPPING=1")


def test_the_watchdog_is_fed_only_while_the_tree_answers(supervisor: socket.socket) -> None:
    tree = Tree()
    given = {"NOTIFY_SOCKET": supervisor.getsockname(), "WATCHDOG_USEC": "2000"}
    service = ServiceManager(given)
    service.ready(tree)  # type: ignore[arg-type]
    supervisor.recv(1_000)
    assert supervisor.recv(1_000) == b"WATCHDOG=1"
    tree.stuck = True
    until(lambda: tree.unanswered)  # it heard of it, so nothing is on its way any more
    while select.select([supervisor], [], [], 0)[0]:
        supervisor.recv(1_000)
    asked = tree.unanswered
    until(lambda: tree.unanswered > asked + 3)
    assert not select.select([supervisor], [], [], 0)[0]
    tree.stuck = False
    assert supervisor.recv(1_000) == b"WATCHDOG=1"
    service.stopping()


@pytest.mark.parametrize("usec", ["", "0", "-5", "soon", "²", str(2**64 - 1)])
def test_a_watchdog_that_nobody_asked_for_is_not_fed(supervisor: socket.socket, usec: str) -> None:
    given = {"NOTIFY_SOCKET": supervisor.getsockname(), "WATCHDOG_USEC": usec}
    before = threading.active_count()
    service = ServiceManager(given)
    service.ready(Tree())  # type: ignore[arg-type]
    assert threading.active_count() == before
    service.stopping()


def test_without_a_service_manager_or_with_one_that_is_gone_nothing_fails(tmp_path: Path) -> None:
    for given in ({}, {"NOTIFY_SOCKET": str(tmp_path / "nobody")}, {"NOTIFY_SOCKET": "@nobody"}):
        service = ServiceManager(given)
        service.ready(Tree())  # type: ignore[arg-type]
        service.stopping()


# -- a conductor's process ----------------------------------------------------------------------


def started(home: Home) -> DaemonProcess:
    process = DaemonProcess(DaemonConfig(), home=home)
    at_once(process.run())
    return process


def test_where_another_conductor_runs_the_process_says_so_and_ends(
    held: Home, capfd: pytest.CaptureFixture[str]
) -> None:
    assert started(held).exit_code == EXIT_RUNNING
    assert f"a conductor runs in {held.path} already" in capfd.readouterr().err


def fails_with(error: BaseException) -> StartError:
    inner = StartError("store", ExitReason("error", "x", error))
    return StartError("root", ExitReason("error", "x", inner))


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (fails_with(DatabaseCorrupt("damaged")), EXIT_UNUSABLE),
        (fails_with(DatabaseTooNew("of a newer version")), EXIT_UNUSABLE),
        (fails_with(ValueError("ours")), EXIT_FAILED),
        (OSError("no descriptor left"), EXIT_FAILED),
    ],
)
def test_a_database_that_cannot_be_used_is_an_end_for_good_and_nothing_else_is(
    home: Home,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    error: BaseException,
    code: int,
) -> None:
    class Broken:
        def __init__(self, *given: object) -> None:
            raise error

    monkeypatch.setattr(process_module, "Conductor", Broken)
    assert started(home).exit_code == code
    assert "the conductor cannot go on" in capfd.readouterr().err
    assert unusable(error) is (code == EXIT_UNUSABLE)
    lock = home.lock()
    assert lock is None, "the lock is held until the process ends, so that nobody comes in before"


def test_what_is_loaded_when_it_serves_is_frozen_and_garbage_is_collected_from_then_on() -> None:
    gc.disable()
    try:
        OwnProcess().freeze()
        assert gc.isenabled()
        assert gc.get_freeze_count() > 0
    finally:
        gc.unfreeze()
        gc.enable()


@pytest.fixture
def main(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The program's main function without what it does to the process that it has to itself."""
    made: list[Any] = []
    for name in ("write_no_core", "raise_files"):
        monkeypatch.setattr(program.own_limits, name, lambda: None)
    monkeypatch.setattr(program, "open_standard_streams", lambda: None)
    monkeypatch.setattr(os, "umask", lambda mode: 0)
    for name in ("set_threshold", "disable"):
        monkeypatch.setattr(gc, name, lambda *given: None)
    monkeypatch.setattr(os, "_exit", sys.exit)

    class Process:
        exit_code = 4

        def __init__(self, config: DaemonConfig, **given: Any) -> None:
            made.append((config, given))

        async def run(self) -> None:
            pass

    monkeypatch.setattr(process_module, "DaemonProcess", Process)

    def run(*arguments: str) -> tuple[Any, Any]:
        monkeypatch.setattr(sys, "argv", ["marianne.daemon", *arguments])
        with pytest.raises(SystemExit) as ended:
            program.main()
        return ended.value.code, made.pop() if made else None

    return run


def test_the_command_line_is_what_the_conductor_was_started_with(main: Any, home: Home) -> None:
    home.config_file.write_text("max_concurrent_jobs: 2\n")
    flags = ("--ready-fd", "7", "--lock-fd", "8", "--guard-fd", "9", "--heart-pid", "5")
    code, (config, given) = main("--home", str(home.path), *flags, "--client", "6:60")
    assert code == 4, "what the run came to is the exit code"
    assert config.max_concurrent_jobs == 2
    assert (given["ready_fd"], given["lock"].fd, given["lock"].guard) == (7, 8, 9)
    assert (given["given"].heart_pid, given["given"].client) == (5, (6, 60))


def test_a_configuration_that_does_not_fit_is_said_with_its_line_and_starts_nothing(
    main: Any, home: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    home.config_file.write_text("\nmax_concurrent_jobs: many\n")
    assert main("--home", str(home.path)) == (2, None)
    assert f"{home.config_file}:2" in capsys.readouterr().err


def test_a_preload_that_failed_is_an_exit_code() -> None:
    module, _, name = conductor.PROBE.partition(":")
    probe = getattr(import_module(module), name)
    for modules, code in ((["sys", "os"], 0), (["sys", "no.such.module"], 1)):
        with pytest.raises(SystemExit) as ended:
            probe(modules)
        assert int(ended.value.code or 0) == code


def test_no_child_imports_the_conductor_to_find_what_it_is_to_do() -> None:
    """That costs as much as all else that a start computes; nobody waits for it, all pay."""
    for target in (conductor.PROBE, REMOVE, PARSE):
        module = target.partition(":")[0]
        code = f"import sys, {module}; sys.exit('marianne.daemon.context' in sys.modules)"
        subprocess.run([sys.executable, "-c", code], check=True)
    started = re.findall(r"processes\.start\(\s*([^\s,]+)", SOURCES)
    assert started
    named = re.compile(r'".+:\w+"|[A-Z]+|(self\.)?(_served\.)?_?target')
    assert [one for one in started if not named.fullmatch(one)] == []


# -- in somebody's program ----------------------------------------------------------------------


def life(home: Home) -> Embedded:
    return Embedded(JobManager(DaemonConfig(), home=home))


def test_an_embedded_conductor_takes_no_home_that_another_holds(held: Home) -> None:
    with pytest.raises(HomeError, match="give the manager a home of its own"):
        asyncio.run(life(held).start())


def test_what_keeps_an_embedded_conductor_from_starting_is_raised_and_frees_the_home(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Broken:
        def __init__(self, *given: object) -> None:
            pass

        def run(self, *given: object) -> int:
            raise OSError("no descriptor left")

        def abandon(self) -> None:
            pass

    monkeypatch.setattr(embedded, "Conductor", Broken)
    for _ in range(2):
        with pytest.raises(OSError, match="no descriptor left"):
            asyncio.run(life(home).start())
        until(lambda: not embedded._one.locked())
    lock = home.lock()
    assert lock is not None
    lock.release()


def test_an_embedded_conductor_is_there_when_it_takes_jobs_and_gone_when_it_has_ended(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    end = threading.Event()

    class Serves:
        def __init__(self, manager: JobManager, *given: object) -> None:
            self._context: Any = SimpleNamespace(stop=SimpleNamespace(ask=self._stop))
            manager.bind(self._context)

        def _stop(self, mode: str, why: str) -> None:
            asked.append(mode)
            end.set()

        def run(self, lock: object, begun: Any, stopping: object) -> int:
            begun(self._context)
            assert end.wait(30.0)
            return 1

    monkeypatch.setattr(embedded, "Conductor", Serves)

    async def live() -> None:
        tree = life(home)
        await tree.start()
        await tree.end("drain")
        with pytest.raises(RuntimeError, match="its log says why"):
            await tree.ended()

    asyncio.run(live())
    assert asked == ["drain"]


def test_a_thread_that_cannot_be_had_frees_the_home_too(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_thread(self: object) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", no_thread)
    with pytest.raises(RuntimeError, match="can't start new thread"):
        asyncio.run(life(home).start())
    assert not embedded._one.locked()
    lock = home.lock()
    assert lock is not None
    lock.release()

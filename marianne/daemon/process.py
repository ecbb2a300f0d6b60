"""The conductor as a process: boot, signals, the ways to stop.

Boot, in this order: home and lock (without it: somebody else runs, end); subreaper; forkserver,
before any thread exists; signals blocked for every thread but this one's ``sigwait``; what an
earlier conductor left is ended; the tree, bottom up; ``daemon.started``; ready (and ``READY=1``
to a service manager). Stop is the reverse, bounded in time: ``STOPPING=1``, the tree top down, what
is left is swept, the helpers. The last act is ``os._exit``: multiprocessing would wait for children
that have gone their own way.
"""

from __future__ import annotations

import gc
import importlib
import multiprocessing.util
import os
import shutil
import signal
import sys
import threading
import time
import traceback
from collections.abc import Sequence
from typing import TYPE_CHECKING

from actors import ActorDied, AskTimeout, NoSuchActor, StartError, System, SystemEvent
from marianne import stop_order
from marianne.daemon import scratch, tree
from marianne.daemon.context import Context, StopRequest
from marianne.daemon.deathwatch import SERVES, STOPS, count_death
from marianne.daemon.first_start import settle_state
from marianne.daemon.log import get_logger, open_log, set_level
from marianne.daemon.one_core import stay_on_one_core
from marianne.daemon.pgroup import ProcessGroupManager
from marianne.daemon.places import Places
from marianne.daemon.reaper import leave_to_original, recorded_workers, remove_stray_files
from marianne.daemon.refusal import Refused
from marianne.daemon.resources import Resources
from marianne.daemon.server import Server
from marianne.daemon.shutdown import (
    SIGNALS,
    Interrupted,
    close_order,
    keep_order,
    not_ended,
    running,
    take_order,
    wind_down,
)
from marianne.daemon.storage import Storage
from marianne.daemon.store import Store
from marianne.daemon.systemd import ServiceManager
from marianne.home import Home, HomeLock
from marianne.run import procfs, watermark
from marianne.run.confine import become_subreaper
from marianne.state.changes import AddEvent, Change
from marianne.state.errors import DatabaseCorrupt, DatabaseTooNew, StoreError

if TYPE_CHECKING:
    from pathlib import Path

    from actors.process import Process
    from marianne.daemon.config import DaemonConfig, Loaded

log = get_logger(__name__)

PRELOAD = ["marianne.run.worker", "marianne.daemon.parse_child", "marianne.score.sandbox"]
"""Imported once, in the forkserver: a worker then starts in milliseconds."""

EXIT_FAILED = 1
EXIT_RUNNING = 6
"""Another conductor holds the lock of this home."""

EXIT_RESTART = 7
"""The heart is to start another conductor, which takes the workers over."""

EXIT_UNUSABLE = 8
"""The database cannot be used: another start would find the same, so the heart makes none."""

STOP_MARGIN = 15.0
"""Seconds beyond the sheets' grace until the tree is abandoned."""


class DaemonProcess:
    """One conductor of one home. ``run`` never returns: it ends by ``os._exit``."""

    def __init__(
        self,
        config: DaemonConfig,
        home: Home,
        loaded: Loaded | None = None,
        config_path: Path | None = None,
    ) -> None:
        self._config = config
        self._home = home
        self._loaded = loaded
        self._config_path = config_path
        self._service = ServiceManager()

    def run(
        self,
        ready_fd: int | None = None,
        lock: HomeLock | None = None,
        heart_pid: int | None = None,
        client: tuple[int, int] | None = None,
    ) -> None:
        """Boots, serves until asked to stop, stops.

        Exit code 0; 1 if it cannot go on; ``EXIT_RESTART`` if it is to be replaced;
        ``EXIT_UNUSABLE`` if the database is damaged or of a newer version. ``ready_fd``
        gets one byte when clients are served, and is closed; it is closed without a byte when the
        boot fails, and stderr then says why. ``lock`` is the home's if the heart holds it.
        ``client`` (pid and start time) is whom a private conductor must not outlive.
        """
        code = EXIT_FAILED
        self._client = client
        self._heart_pid = heart_pid
        try:
            lock = self._home.lock() if lock is None else lock.keep()
            if lock is None:
                print(f"a conductor runs in {self._home.path} already", file=sys.stderr)
                code = EXIT_RUNNING
            else:
                code = self._serve(lock, ready_fd)
        except Exception as error:  # noqa: BLE001 - the last place that can say it
            code = EXIT_UNUSABLE if _unusable(error) else EXIT_FAILED
            print(f"the conductor cannot go on: {error}", file=sys.stderr)
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)

    # -- boot -----------------------------------------------------------------------------------

    def _serve(self, lock: HomeLock, ready_fd: int | None) -> int:
        if not lock.write(os.getpid(), self._heart_pid):
            log.warning("lock_not_written", place=str(self._home.pid_file))
        set_level(self._config.log_level)
        become_subreaper()
        storage = Storage(self._home.path)
        storage.drop_ballast()
        for place in settle_state(self._home):
            log.warning("set_aside", place=place, why="there was no whole database")
        storage.watch(self._home.db)
        if leave_to_original(self._home):
            log.warning("home_was_copied", home=str(self._home.path))
        watermark.take(self._home.owner())
        system = System("conductor")
        workers: dict[int, Process] = {}
        count_death(self._home)
        order = take_order(self._home, self._heart_pid)
        self._recorded = recorded_workers(self._home)
        self._group = ProcessGroupManager(
            self._home.owner(),
            lambda: {*self._recorded, *workers, *system.processes.forkserver_pids()},
        )
        self._group.setup()
        scratch.use(self._home)
        system.processes.prepare(preload=PRELOAD, check=False)
        system.processes.cores = stay_on_one_core()
        signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        context = self._context(system, workers, storage)
        if order is not None:
            log.warning("goes_on_stopping", mode=order.mode)
            context.stop.mode = order.mode
            if order.until is not None:
                context.stop.drain_seconds = max(0.0, order.until - time.monotonic())
        context.places = Places(self._home, lock, self._heart_pid)
        context.places.tell()
        system.on_event(lambda event: _heard(event, context))
        tree.start(context)
        self._tell(context, "daemon.started", SERVES)
        if ready_fd is not None:
            _say_ready(ready_fd)
        context.serving = True
        context.server.tell(Server.open)
        self._service.ready(context)
        threading.Thread(target=self._settle_in, args=(system,), daemon=True).start()
        self._wait(context)
        return self._stop(context, lock)

    def _settle_in(self, system: System) -> None:
        """What nobody has to wait for at the start: the log file, orphans, heavy imports."""
        try:
            open_log(self._home.log)
        except OSError as error:
            # A full disk. What is said is kept in memory, up to a bound.
            print(f"the log cannot be opened: {error}", file=sys.stderr)
        for note in self._loaded.notes if self._loaded else ():
            log.warning("config_note", note=note)
        gc.freeze()  # modules and the tree: they stay
        swept = self._group.reap_orphaned_backends()
        if swept:
            log.warning("swept_at_start", pids=swept)
        remove_stray_files(self._home)
        try:
            probe = system.processes.start(probe_preload, (PRELOAD,), "marianne-probe").wait(60.0)
        except (EOFError, OSError) as error:
            # A stop that comes this early ends the forkserver under us.
            log.info("preload_not_checked", error=repr(error))
        else:
            if probe is None or probe.exit_code != 0:
                log.error("preload_failed", modules=PRELOAD, ended=str(probe))
        for module in ("marianne.daemon.types", "marianne.daemon.handlers.job_submit"):
            importlib.import_module(module)

    def _context(self, system: System, workers: dict[int, Process], storage: Storage) -> Context:
        limits = self._config.resource_limits
        return Context(
            system=system,
            home=self._home,
            config=self._config,
            owner=self._home.owner(),
            start_time=procfs.start_time(os.getpid()) or 0,
            started_at=time.time(),
            stop=StopRequest(),
            resources=Resources(limits.max_memory_mb, limits.max_processes),
            storage=storage,
            origins=self._loaded.origins if self._loaded else {},
            config_path=self._config_path,
            heart_pid=self._heart_pid,
            client=self._client,
            workers=workers,
        )

    def _tell(self, context: Context, event: str, mark: Change) -> None:
        """Commits an event of the daemon; one that cannot be committed stops nothing."""
        change = AddEvent(None, None, event, {"pid": os.getpid()}, time.time())
        try:
            context.store.ask(Store.write, [change, mark], kept=False)
        except (ActorDied, AskTimeout, NoSuchActor, StoreError) as error:
            log.warning("event_not_committed", event_name=event, error=repr(error))

    # -- signals --------------------------------------------------------------------------------

    def _wait(self, context: Context) -> None:
        """Sleeps until a signal: the first wish to end ends it."""
        while context.stop.mode is None:
            match signal.sigwait(SIGNALS):
                case signal.SIGTERM | signal.SIGINT:
                    context.stop.mode = "stop"
                case signal.SIGCHLD:
                    self._group.cleanup_orphans()
                case signal.SIGHUP:
                    _reload(context)

    # -- stop -----------------------------------------------------------------------------------

    def _stop(self, context: Context, lock: HomeLock) -> int:
        mode = context.stop.mode
        if mode in stop_order.RANK:
            keep_order(context, mode, context.stop.drain_seconds)  # a signal left none
            lock.stopping()
        log.info("stopping", mode=mode)
        self._service.stopping()
        context.spare.close()  # while its end can still be heard of
        # A tree that gave up counts as a death: a job may have been the cause.
        died = mode in ("failed", "unusable")
        self._tell(context, "daemon.stopping", SERVES if died else STOPS)
        finished = wind_down(context, self._group.cleanup_orphans)
        cancelled = finished and context.stop.mode == "cancel"
        cut = running(self._home) if mode == "drain" and not finished else []
        self._end_work(context)
        if context.stop.mode == "unusable":
            print(f"the conductor cannot go on: {context.stop.why}", file=sys.stderr)
            return EXIT_UNUSABLE
        if context.stop.mode == "failed":
            return EXIT_FAILED
        if context.stop.mode == "restart":
            return EXIT_RESTART if context.heart_pid else 0
        left: list[Interrupted] = not_ended(self._home, cut)
        close_order(self._home, drained=mode == "drain", cancelled=cancelled, left=left)
        return 0

    def _end_work(self, context: Context) -> None:
        """Ends the tree, what is left of its jobs unless they are to go on, and the helpers."""
        done = threading.Event()
        ending = threading.Thread(target=self._end_tree, args=(context, done), name="shutdown")
        ending.daemon = True
        ending.start()
        while not done.is_set():
            got = signal.sigwait(SIGNALS)
            if got is signal.SIGTERM or (got is signal.SIGUSR1 and context.stop.mode == "force"):
                context.stop.mode = "force"
                for worker in list(context.workers.values()):
                    worker.kill()
        if not context.stop.keeps_workers:
            self._recorded.clear()  # nobody goes on
            left = self._group.reap_orphaned_backends()
            if left:
                log.warning("swept_at_stop", pids=left)
        context.system.processes.end_helpers()
        # Where the forkserver's socket was: what os._exit does not do.
        shutil.rmtree(multiprocessing.util.get_temp_dir(), ignore_errors=True)
        self._group.end_all_children()

    def _end_tree(self, context: Context, done: threading.Event) -> None:
        grace = context.config.sheet_grace_seconds
        zombies = context.system.shutdown(timeout=grace + STOP_MARGIN)
        if zombies:
            log.error("threads_abandoned", names=zombies)
        done.set()
        os.kill(os.getpid(), signal.SIGUSR1)


def _say_ready(fd: int) -> None:
    """One byte to the heart; one that died meanwhile is missed by nobody but the health checks."""
    try:
        os.write(fd, b"1")
    except OSError as error:
        log.warning("heart_not_told", error=repr(error))
    finally:
        os.close(fd)


def _reload(context: Context) -> None:
    """SIGHUP: what went wrong is in the log, and the old configuration stays."""
    from marianne.daemon.reloading import reload

    try:
        reload(context)
    except Refused:
        pass  # logged with its problems
    except (ActorDied, AskTimeout, NoSuchActor) as error:
        log.error("not_reloaded", error=repr(error))


def _unusable(error: BaseException | None) -> bool:
    """Whether it, or what kept an actor from starting, is a database that cannot be used."""
    while isinstance(error, StartError):
        error = error.reason.error
    return isinstance(error, (DatabaseCorrupt, DatabaseTooNew))


def probe_preload(modules: Sequence[str]) -> None:
    """In a child: exit code 1 if the forkserver has not all of these modules loaded.

    A preload that fails says nothing; it only makes every start of a worker slow.
    """
    sys.exit(any(module not in sys.modules for module in modules))


def _heard(event: SystemEvent, context: Context) -> None:
    """Logs what happens in the tree, and tells clients; ends the conductor with its root."""
    told = _TOLD.get(event.kind)
    if event.kind == "crashed":
        log.error("actor_crashed", name=event.name, error=event.error, traceback=event.traceback)
        if DatabaseCorrupt.__name__ in event.error:  # a crash is told as text
            context.stop.ask("unusable", why=event.error)
            return
    elif told:
        log.warning(told.replace(".", "_"), name=event.name, detail=event.error or event.detail)
    if told:
        data = {"name": event.name, "error": event.error or event.detail}
        event_row = AddEvent(None, None, told, data, time.time())
        context.store.tell(Store.write, [event_row], kept=False)
    if event.name == "root" and event.kind in ("gave_up", "crashed"):
        context.stop.ask("failed")


_TOLD = {
    "crashed": "actor.crashed",
    "restarted": "actor.restarted",
    "gave_up": "actor.gave_up",
}

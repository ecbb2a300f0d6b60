"""One conductor from its lock to its end, in whatever process: boot, the ways to stop.

Boot, in this order: the lock is told whose it is; the state is settled; the forkserver; what an
earlier conductor left is ended; the tree, bottom up; ``daemon.started``; ready. Stop is the
reverse, bounded in time: the tree top down, what is left is swept, the helpers. What of it is the
process's own affair is its :class:`~marianne.daemon.processes.host.Host`'s.
"""

from __future__ import annotations

import importlib
import os
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import field
from typing import TYPE_CHECKING

from actors import ActorDied, AskTimeout, NoSuchActor, StartError, System
from marianne.daemon.api.server import Server
from marianne.daemon.boot import announcing, tree
from marianne.daemon.boot.crash_loop import SERVES, STOPS, count_death
from marianne.daemon.boot.executors import executor_of
from marianne.daemon.boot.first_start import settle_state
from marianne.daemon.boot.shutdown import (
    Interrupted,
    close_order,
    not_ended,
    running,
    take_order,
    wind_down,
)
from marianne.daemon.context import Context, StopRequest
from marianne.daemon.job.on_disk import OnDisk
from marianne.daemon.processes.control_groups import NONE, set_up
from marianne.daemon.services.renewal import told_of
from marianne.daemon.services.stopping import keep_order
from marianne.daemon.services.store import Store
from marianne.daemon.shared.log import get_logger, open_log, set_level
from marianne.daemon.shared.places import Places
from marianne.daemon.shared.proof import proof_of_conductor
from marianne.daemon.shared.refusal import Refused
from marianne.daemon.shared.storage import Storage
from marianne.daemon.worker.orphans import leave_to_original, recorded_workers, remove_stray_files
from marianne.records import dataclass
from marianne.run import procfs, stop_order
from marianne.state.changes import AddEvent, Change
from marianne.state.errors import DatabaseCorrupt, DatabaseTooNew, StoreError
from marianne.streams import say_now

if TYPE_CHECKING:
    from pathlib import Path

    from marianne.daemon.config import Loaded
    from marianne.daemon.manager import JobManager
    from marianne.daemon.processes.host import Host
    from marianne.home import Home, HomeLock

log = get_logger(__name__)

PRELOAD = [
    "marianne.run.worker",
    "marianne.run.errand",
    "marianne.run.recheck",
    "marianne.run.anew",
    "marianne.daemon.services.parse_child",
    "marianne.score.sandbox",
    # What a worker imports once a job wants it: walls, the freshness of what a sheet makes.
    "marianne.run.walled",
    "marianne.run.freshness",
    "marianne.score.shell_commands",
    "ipc.curve",
    "encodings.ascii",
    "marianne.run.zygote",
]
"""Imported once, in the forkserver: a worker then starts in milliseconds, and whatever a job needs
is there, also when the program's files are replaced meanwhile."""

PROBE = "actors.process_child:probe"
"""In a child: exit code 1 if the forkserver has not all of the modules. A preload that fails says
nothing; it only makes every start of a worker slow."""

EXIT_FAILED = 1
EXIT_RUNNING = 6
"""Another conductor holds the lock of this home."""

EXIT_RESTART = 7
"""The heart is to start another conductor, which takes the workers over."""

EXIT_UNUSABLE = 8
"""The database cannot be used: another start would find the same, so the heart makes none."""

LATER = (
    "marianne.daemon.types",
    "marianne.daemon.api.handlers.job_submit",
    # Whoever replaces our files asks for one of these next, whether or not the new ones are of use.
    "marianne.daemon.api.handlers.daemon_shutdown",
    "marianne.daemon.api.handlers.daemon_reload",
    "marianne.daemon.api.handlers.job_cancel",
    "marianne.daemon.api.handlers.job_list",
    "marianne.daemon.api.handlers.job_status",
    "marianne.daemon.api.handlers.job_wait",
)
"""Imported when somebody is served already."""

STOP_MARGIN = 15.0
"""Seconds beyond the sheets' grace until the tree is abandoned."""


@dataclass(frozen=True, slots=True)
class Given:
    """What a conductor was started with. ``client`` (pid and start time) is whom a private one must
    not outlive; ``loaded`` and ``config_path`` say where the configuration came from. ``preload``
    are further modules for the forkserver. In the ``foreground`` its log goes to standard error,
    too. ``key`` is the heart's, by which this conductor proves to workers that it is the next."""

    loaded: Loaded | None = None
    config_path: Path | None = None
    heart_pid: int | None = None
    client: tuple[int, int] | None = None
    preload: tuple[str, ...] = ()
    foreground: bool = False
    key: bytes | None = field(default=None, repr=False)


class Conductor:
    """Serves a home that is prepared and locked. One in a process at a time: it has one log."""

    def __init__(
        self, manager: JobManager, home: Home, host: Host, given: Given | None = None
    ) -> None:
        self._manager = manager
        self._config = manager.config
        self._home = home
        self._host = host
        self._given = given or Given()
        self._group = manager.group
        self._recorded: set[int] = set()
        self._groups = NONE
        self._log_opened = threading.Event()
        self._system: System | None = None

    def run(
        self, lock: HomeLock, ready: Callable[[Context], None], stopping: Callable[[], None]
    ) -> int:
        """Boots, serves until asked to stop, stops; blocks all the while.

        Returns 0; 1 if it cannot go on; ``EXIT_RESTART`` if it is to be replaced;
        ``EXIT_UNUSABLE`` if the database is damaged. Raises what keeps it from starting. ``ready``
        is called when the tree runs, before clients are served; ``stopping`` when it is to end.
        """
        context = self._boot(lock)
        ready(context)
        context.serving = True
        context.server.tell(Server.open)
        settling = threading.Thread(target=self._settle_in, args=(context,), daemon=True)
        settling.start()
        self._wait(context)
        stopping()
        return self._stop(context, lock)

    def abandon(self) -> None:
        """After a boot that failed: ends what of the tree was started."""
        if self._system is not None:
            self._system.shutdown(timeout=STOP_MARGIN)

    # -- boot -----------------------------------------------------------------------------------

    def _boot(self, lock: HomeLock) -> Context:
        heart_pid = self._given.heart_pid
        if not lock.write(os.getpid(), heart_pid):
            log.warning("lock_not_written", place=str(self._home.pid_file))
        set_level(self._config.log_level)
        self._host.take_in()
        storage = Storage(self._home.path)
        storage.drop_ballast()
        for place in settle_state(self._home):
            log.warning("set_aside", place=place, why="there was no whole database")
        storage.watch(self._home.db)
        if leave_to_original(self._home):
            log.warning("home_was_copied", home=str(self._home.path))
        system = self._system = System("conductor")
        count_death(self._home)
        order = take_order(self._home, heart_pid)
        self._recorded = recorded_workers(self._home)
        self._group.belong_to(
            self._home.owner(), lambda: {*self._recorded, *system.processes.forkserver_pids()}
        )
        self._host.claim(self._home, self._group)
        self._groups = set_up(self._home, self._host.movable(heart_pid))
        self._host.do_without(system)
        system.processes.prepare(preload=[*PRELOAD, *self._given.preload], check=False)
        self._host.settle(system)
        context = self._context(system, storage)
        if order is not None:
            log.warning("goes_on_stopping", mode=order.mode)
            context.stop.mode = order.mode
            if order.until is not None:
                context.stop.drain_seconds = max(0.0, order.until - time.monotonic())
        context.places = Places(self._home, lock, heart_pid)
        context.places.tell()
        system.on_event(lambda event: announcing.of_the_tree(event, context))
        tree.start(context)
        self._tell(context, "daemon.started", SERVES)
        announcing.started(context)
        return context

    def _settle_in(self, context: Context) -> None:
        """What nobody has to wait for at the start: the log file, orphans, heavy imports."""
        self._host.freeze()
        try:
            open_log(self._home.log, self._config.log_format if self._given.foreground else None)
        except OSError as error:
            # A full disk. What is said is kept in memory, up to a bound.
            say_now(f"the log cannot be opened: {error}\n")
        finally:
            self._log_opened.set()
        for note in self._given.loaded.notes if self._given.loaded else ():
            log.warning("config_note", note=note)
        swept = [*self._groups.end_abandoned(), *self._group.reap_orphaned_backends()]
        if swept:
            log.warning("swept_at_start", pids=swept)
        remove_stray_files(self._home)
        self._host.hold(told_of(context))
        for module in LATER:
            importlib.import_module(module)
        log.debug("settled")
        try:
            probe = context.system.processes.start(PROBE, (PRELOAD,), "marianne-probe").wait(60.0)
        except (EOFError, OSError) as error:
            # A stop that comes this early ends the forkserver under us.
            log.info("preload_not_checked", error=repr(error))
        else:
            if probe is not None and probe.exit_code == 1:
                log.error("preload_failed", modules=PRELOAD)
            elif probe is None or probe.exit_code != 0:  # killed, frozen, or lost sight of
                log.info("preload_not_checked", error=str(probe))

    def _context(self, system: System, storage: Storage) -> Context:
        given, manager = self._given, self._manager
        context = Context(
            system=system,
            home=self._home,
            config=self._config,
            owner=self._home.owner(),
            start_time=procfs.start_time(os.getpid()) or 0,
            started_at=manager.start_time or time.time(),
            stop=StopRequest(wake=self._host.wake),
            resources=manager.monitor,
            storage=storage,
            host=self._host,
            group=self._group,
            face=manager,
            service=manager.service,
            learned=manager.learned,
            origins=given.loaded.origins if given.loaded else {},
            config_path=given.config_path,
            heart_pid=given.heart_pid,
            client=given.client,
            groups=self._groups,
            proof=proof_of_conductor(given.key, given.heart_pid),
        )
        context.executor = executor_of(context)
        context.service.registry = context.service.registry or OnDisk(context.home)
        return context

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
            match self._host.hear():
                case signal.SIGTERM | signal.SIGINT as number:
                    context.stop.ask("stop", why=signal.Signals(number).name)
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
        announcing.stopping(context)
        context.executor.close()  # while the end of what it held can still be heard of
        # A tree that gave up counts as a death: a job may have been the cause.
        died = mode in ("failed", "unusable")
        self._tell(context, "daemon.stopping", SERVES if died else STOPS)
        finished = wind_down(context, self._group.cleanup_orphans)
        cancelled = finished and context.stop.mode == "cancel"
        cut = running(context) if mode == "drain" and not finished else []
        self._end_work(context)
        announcing.stopped(context)
        self._log_opened.wait(STOP_MARGIN)  # a stop that came at once has said all before it
        if context.stop.mode == "unusable":
            say_now(f"the conductor cannot go on: {context.stop.why}\n")
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
            got = self._host.hear()
            if got == signal.SIGTERM or (got == signal.SIGUSR1 and context.stop.mode == "force"):
                context.stop.mode = "force"
                context.executor.cut_short()
        if not context.stop.keeps_workers:
            self._recorded.clear()  # nobody goes on
            left = self._group.reap_orphaned_backends()
            if left:
                log.warning("swept_at_stop", pids=left)
        self._groups.leave(all_over=not context.stop.keeps_workers)
        self._host.leave(context.system, self._group)

    def _end_tree(self, context: Context, done: threading.Event) -> None:
        grace = context.config.sheet_grace_seconds
        zombies = context.system.shutdown(timeout=grace + STOP_MARGIN)
        if zombies:
            log.error("threads_abandoned", names=zombies)
        done.set()
        self._host.wake()


def _reload(context: Context) -> None:
    """SIGHUP: what went wrong is in the log, and the old configuration stays."""
    from marianne.daemon.api.reload import reload

    try:
        reload(context)
    except Refused:
        pass  # logged with its problems
    except (ActorDied, AskTimeout, NoSuchActor, ImportError) as error:
        log.error("not_reloaded", error=repr(error))


def unusable(error: BaseException | None) -> bool:
    """Whether it, or what kept an actor from starting, is a database that cannot be used."""
    while isinstance(error, StartError):
        error = error.reason.error
    return isinstance(error, (DatabaseCorrupt, DatabaseTooNew))

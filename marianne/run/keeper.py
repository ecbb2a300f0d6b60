"""What the heart does: one conductor after another. See marianne/heart.py for its promises.

Standard library only, and little of it.
"""

from __future__ import annotations

import os
import select
import signal
import time

from marianne.run import confine, passed_key, procfs, stop_order
from marianne.run.heart_options import Options
from marianne.run.last_watch import LastWatch
from marianne.walls import cgroups

MAX_FAILED_STARTS = 5
FAILED_WINDOW = 60.0
FIRST_PAUSE, LONGEST_PAUSE = 0.25, 4.0
# A conductor that dies this soon after it was ready is replaced after a breath, not at once.
SHORT_LIFE = 1.0
# For what is still there when the conductor dies in the middle of a stop.
STOP_GRACE = 10.0
EXIT_GAVE_UP = 1
# What a conductor ends with when it cannot use its database: another would find the same.
EXIT_UNUSABLE = 8
EXIT_NOT_STARTED = 127

_ENDED_HERE = ("stop", "force", stop_order.DONE)
_PASSED_ON = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
_ALL = tuple(s for s in signal.valid_signals() if s not in (signal.SIGKILL, signal.SIGSTOP))


class Keeper:
    """One conductor after another. ``run`` answers the heart's exit code."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._owner = ""  # the first conductor of a home makes it
        self._conductor = 0
        self._ready_pipe = -1
        self._ready_at: float | None = None  # of the present conductor
        self._ever_ready = False
        self._stopping = False
        self._failed: list[float] = []
        self._key = os.urandom(passed_key.KEY_BYTES)
        # Workers whose forkserver we ended: their new parent is the heart.
        self._workers: set[tuple[int, int]] = set()
        self._watch = LastWatch()
        self._wake, write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(write, warn_on_full_buffer=False)
        for signum in (*_PASSED_ON, signal.SIGCHLD, signal.SIGUSR1):
            signal.signal(signum, _noted)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        os.set_inheritable(options.lock_fd, True)
        if options.guard_fd >= 0:
            os.set_inheritable(options.guard_fd, True)
        _keep_to_ourselves(options.lock_fd, options.guard_fd)
        self._client_fd = _watched(options.client)

    def run(self) -> int:
        """Until a conductor exits 0, or we give up; of a private home nothing is left then."""
        code = self._beat()
        if self._options.client is not None:
            confine.sweep(confine.all_below)
            if code == 0 or self._client_gone():
                _remove_tree(self._options.home)
        return code

    def _beat(self) -> int:
        confine.become_subreaper()
        while True:
            if self._client_gone():
                return 0
            code = self._attend() if self._start() else EXIT_NOT_STARTED
            lived = time.monotonic() - self._ready_at if self._ready_at is not None else None
            if code == 0:
                confine.sweep(confine.all_below)
                return 0
            if self._told_to_stop():
                self._log(f"the conductor died while it stopped ({_how(code)})")
                return self._end_all()
            self._end_helpers()
            if not self._ever_ready:
                self._sweep()
                return code if code > 0 else EXIT_GAVE_UP
            if code == EXIT_UNUSABLE:
                self._log(
                    "the conductor cannot use its database (why: logs/conductor.err); no other is "
                    "started. Running sheets end by themselves; what they ended with is kept."
                )
                self._sweep()
                return code
            pause = self._judge(code, lived)
            if pause is None:
                self._sweep()
                return EXIT_GAVE_UP
            if not self._rest(pause):
                return self._end_all()

    def _told_to_stop(self) -> bool:
        """Whether nobody is to replace the conductor.

        A drain and a cancelling are for another conductor to bring to their end.
        """
        order = stop_order.read(self._options.home)
        return self._stopping or (order is not None and order.mode in _ENDED_HERE)

    def _end_all(self) -> int:
        order = stop_order.read(self._options.home)
        forced = order is not None and order.mode == "force"
        confine.sweep(confine.all_below, 0.0 if forced else STOP_GRACE)
        return 0

    def _judge(self, code: int, lived: float | None) -> float | None:
        """Seconds until the next start; None to give up."""
        if lived is not None:
            self._failed.clear()
            self._log(f"the conductor died ({_how(code)}); starting another")
            return 0.0 if lived >= SHORT_LIFE else FIRST_PAUSE
        now = time.monotonic()
        self._failed = [t for t in self._failed if now - t < FAILED_WINDOW] + [now]
        if len(self._failed) >= MAX_FAILED_STARTS:
            self._log(
                f"the conductor did not get ready {MAX_FAILED_STARTS} times in "
                f"{FAILED_WINDOW:g} s (last: {_how(code)}); giving up. Running sheets end by "
                "themselves; `marianne start` goes on with the jobs."
            )
            return None
        self._log(f"the conductor did not get ready ({_how(code)}); trying again")
        return min(FIRST_PAUSE * 2.0 ** (len(self._failed) - 1), LONGEST_PAUSE)

    # -- one conductor

    def _start(self) -> bool:
        options = self._options
        self._ready_at = None
        try:
            read, write = os.pipe2(os.O_CLOEXEC)
        except OSError as error:
            self._log(f"cannot start {options.conductor[0]}: {error.strerror}")
            return False
        os.set_inheritable(write, True)
        key = passed_key.lend(self._key)
        argv = [
            *options.conductor,
            *("--lock-fd", str(options.lock_fd), "--guard-fd", str(options.guard_fd)),
            *("--ready-fd", str(write)),
            *("--heart-pid", str(os.getpid()), "--key-fd", str(key)),
        ]
        try:
            # A group of its own: Ctrl-C reaches the heart alone, which passes it on once. A hangup
            # waits until the conductor listens: one that boots would die of it.
            self._conductor = os.posix_spawn(
                *(argv[0], argv, os.environ),
                setpgroup=0,
                setsigmask=(signal.SIGHUP,),
                setsigdef=_ALL,
            )
        except OSError as error:
            self._log(f"cannot start {argv[0]}: {error.strerror}")
            os.close(read)
            return False
        finally:
            os.close(write)
            if key >= 0:
                os.close(key)
        self._ready_pipe = read
        text = f"{self._conductor}\n{os.getpid()}\n".encode()
        try:
            # Over the old text first, cut afterwards: a reader never sees an empty file.
            os.pwrite(options.lock_fd, text, 0)
            os.ftruncate(options.lock_fd, len(text))
        except OSError as error:
            # The disk fails. Who looks for the conductor finds it by what it has open.
            self._log(f"the lock's file cannot be written: {error.strerror}")
        return True

    def _attend(self) -> int:
        """Waits with the conductor until it ends; returns its exit code, negative for a signal."""
        poller = select.poll()
        poller.register(self._wake, select.POLLIN)
        poller.register(self._ready_pipe, select.POLLIN)
        if self._client_fd >= 0:
            poller.register(self._client_fd, select.POLLIN)
        ended: int | None = None
        while ended is None:
            ready = {fd for fd, _ in poller.poll()}
            if self._ready_pipe in ready:
                poller.unregister(self._ready_pipe)
                self._hear_ready()
            if self._client_fd in ready:
                poller.unregister(self._client_fd)
                self._lose_client()
            if self._wake in ready:
                ended = self._take_signals()
        if self._ready_pipe >= 0:
            self._hear_ready()  # it may have been ready and dead before we looked
        self._conductor = 0
        return ended

    def _hear_ready(self) -> None:
        if os.read(self._ready_pipe, 1):
            self._ready_at = time.monotonic()
            self._ever_ready = True
            self._failed.clear()
            if self._options.ready_fd >= 0:
                try:
                    os.write(self._options.ready_fd, b"1")
                except OSError:
                    pass  # whoever started us has gone
                os.close(self._options.ready_fd)
                self._options.ready_fd = -1
            self._sweep()
            self._have_watched()
        os.close(self._ready_pipe)
        self._ready_pipe = -1

    def _client_gone(self) -> bool:
        """Whether the client of a private conductor has ended."""
        client = self._options.client
        return client is not None and not procfs.lives(*client)

    def _lose_client(self) -> None:
        """The client ended: a conductor that was not told to stop is told, once."""
        if not self._stopping:
            self._stopping = True
            os.kill(self._conductor, signal.SIGTERM)  # our unreaped child

    def _take_signals(self) -> int | None:
        """Passes signals on, reaps; returns the conductor's ending if it has ended."""
        signals = set(os.read(self._wake, 4096))
        for signum in _PASSED_ON:
            if signum in signals:
                self._stopping = self._stopping or signum != signal.SIGHUP
                if self._conductor:
                    os.kill(self._conductor, signum)  # our unreaped child
        ended = self._reap() if signal.SIGCHLD in signals else None
        if ended is None and (signal.SIGCHLD in signals or signal.SIGUSR1 in signals):
            self._sweep()
        return ended

    def _reap(self) -> int | None:
        """Collects all that has ended: of several ends at once the kernel tells one time."""
        ended: int | None = None
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return ended
            if pid == 0:
                return ended
            if pid == self._conductor:
                ended = os.waitstatus_to_exitcode(status)
            elif pid == self._watch.pid:
                self._have_watched(status)

    def _rest(self, seconds: float) -> bool:
        """Pauses between two conductors; returns False when a stop came meanwhile."""
        deadline = time.monotonic() + seconds
        while not self._stopping and (left := deadline - time.monotonic()) > 0:
            if select.select([self._wake], [], [], left)[0]:
                self._take_signals()
        return not self._told_to_stop()

    # -- what is left

    def _end_helpers(self) -> None:
        """Ends the dead conductor's forkserver, and notes the workers below them."""
        try:
            self._end_helpers_now()
        except OSError as error:
            # No descriptor is free, or /proc fails. The next conductor sweeps what is left.
            self._log(f"the dead conductor's helpers were not looked for: {error.strerror}")

    def _end_helpers_now(self) -> None:
        session = os.getsid(0)
        look = procfs.snapshot()
        helpers = [
            one
            for one in (look.get(pid) for pid in procfs.own_children())
            if one is not None and one.session == session
        ]
        pids = {one.pid for one in helpers}
        for one in look.values():
            if one.ppid in pids and one.session != session:
                self._workers.add((one.pid, one.start_time))
        for one in helpers:
            confine.signal_exact(one.pid, one.start_time, signal.SIGKILL)
            try:
                os.waitpid(one.pid, 0)
            except ChildProcessError:
                pass

    def _sweep(self) -> None:
        """Ends what dead workers left to us."""
        # Again each time: the conductor of a copied home makes a marker of its own.
        self._owner = _read_owner(self._options.home) or self._owner
        if not self._owner:
            return
        try:
            self._sweep_now()
        except OSError as error:
            self._log(f"what dead workers left was not looked for: {error.strerror}")

    def _sweep_now(self) -> None:
        spare = {pid for pid, start in self._workers if procfs.start_time(pid) == start}
        self._workers = {(pid, start) for pid, start in self._workers if pid in spare}
        spare.add(self._watch.pid)
        if (base := self._base) is not None:
            cgroups.end_abandoned(base)
        if not confine.adopted(self._owner, spare):
            return
        left = confine.sweep(lambda: confine.adopted_trees(self._owner, spare))
        if left:
            self._log(f"processes {[one.pid for one in left]} could not be ended")

    @property
    def _base(self) -> str | None:
        return cgroups.base_of(self._options.home, self._owner)

    def _have_watched(self, ended: int | None = None) -> None:
        """Has somebody wait for the death of us all; ``ended`` is how who waited ended."""
        try:
            if ended is None:
                self._watch.begin(self._base)
            else:
                self._watch.ended(ended, self._base)
        except OSError as error:
            self._log(f"nobody waits for the death of us all: {error.strerror}")

    def _log(self, text: str) -> None:
        now = time.time()
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now)) + f".{int(now % 1 * 1e6):06d}Z"
        line = f"{stamp} heart {os.getpid()}: {text}\n".encode()
        try:
            if self._options.log:
                flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
                fd = os.open(self._options.log, flags, 0o600)
                os.write(fd, line)
                os.close(fd)
            if select.select((), (2,), (), 0)[1]:
                os.write(2, line)  # beside a log for whoever reads it now: nobody is waited for
        except OSError:
            pass  # a full disk is no reason to stop beating


def _keep_to_ourselves(*passed_on: int) -> None:
    """Of what we inherited, a conductor gets standard streams and ``passed_on`` alone."""
    for fd in map(int, os.listdir("/proc/self/fd")):
        if fd > 2 and fd not in passed_on:
            try:
                os.set_inheritable(fd, False)
            except OSError:
                pass  # the listing's own, which is closed


def _watched(client: tuple[int, int] | None) -> int:
    """A pidfd of the client; -1 when there is none, or none any more."""
    if client is None:
        return -1
    try:
        return os.pidfd_open(client[0])
    except OSError:
        return -1


def _remove_tree(path: str) -> None:
    import shutil  # only at the end of a private home: it costs memory

    shutil.rmtree(path, ignore_errors=True)  # what stays, the next private run finds


def _noted(_signum: int, _frame: object) -> None:
    """A handler must exist, or the signal does its default and writes no byte."""


def _read_owner(home: str) -> str:
    try:
        with open(os.path.join(home, "owner"), encoding="ascii") as file:
            return file.readline().strip()
    except (OSError, ValueError):
        return ""


def _how(code: int) -> str:
    return f"exit code {code}" if code >= 0 else f"killed by signal {-code}"

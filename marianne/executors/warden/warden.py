"""The loop of a warden: connections, the lease, the jobs.

What a restart finds: the workers of a warden that died end their sheets by themselves within
seconds, and what they could not end its successor does before it listens. What they had finished
stands in their spools, and is told when their job is opened again.
"""

from __future__ import annotations

import os
import signal
import socket
import time
from typing import Any

from ipc.errors import CodecError
from marianne.executors.claim import claim, prepare, release
from marianne.executors.frames import Message
from marianne.executors.lease import Lease, clock
from marianne.executors.node_directory import in_words
from marianne.executors.stream_line import StreamLine
from marianne.executors.warden.callers import is_sheet
from marianne.executors.warden.carriage import Carriage
from marianne.executors.warden.estate import Estate
from marianne.executors.warden.post import Post
from marianne.run import procfs
from marianne.run.complain import complain
from marianne.run.loop import Loop
from marianne.run.outlived import limit_of
from marianne.run.setup import Signals
from marianne.version import VERSION

PROTOCOL = 1

ALONE_SECONDS = 60.0
"""A warden without a lease and a job ends itself after this, also where somebody comes to it again
and again to whom it does not fit: the next one may, for it has the version that is there now."""


class Warden:
    """Serves ``listener`` until it is told to stop or nobody wants it any more.

    ``settings``: node (its name), owner (the mark of all that runs here), lease_seconds,
    sheet_grace_seconds; optional environment (variables of the place, which sheets find over their
    job's) and what is known of the node's end: lifetime_seconds of one for many sheets, ends_at
    (seconds since the epoch) of one that is for a single attempt.
    """

    def __init__(self, listener: socket.socket, settings: dict[str, Any]) -> None:
        self._node: str = settings["node"]
        self._owner: str = settings["owner"]
        self._grace = float(settings["sheet_grace_seconds"])
        self._environment: dict[str, str] = settings.get("environment") or {}
        self._lifetime: float | None = settings.get("lifetime_seconds")
        self._ends_at: float | None = settings.get("ends_at")
        self._lease = Lease(float(settings["lease_seconds"]))
        self._listener = listener
        self._loop = Loop()
        self._signals = Signals()
        self._line: StreamLine | None = None
        self._posts: dict[str, Post] = {}
        self._again: dict[str, dict[str, Any]] = {}  # opened while it still ended
        self._done_with: set[str] = set()  # nothing of these jobs is wanted any more
        self._lapsed = self._stopping = self._leaving = False
        self._stopped_at = 0.0
        self._useless_since = clock()
        self._checks: set[int] = set()
        self._estate = Estate()
        self._carriage = Carriage(self._loop, self._tell, self._estate)

    def run(self) -> None:
        """Until the end."""
        self._listener.setblocking(False)
        self._loop.add_reader(self._listener.fileno(), self._accept)
        self._loop.add_reader(self._signals.fileno(), self._signalled)
        self._tick()
        self._loop.run()

    # -- connections

    def _accept(self) -> None:
        try:
            connection, _ = self._listener.accept()
        except OSError:
            return
        if is_sheet(connection):
            complain("a sheet that would give orders is refused")
            connection.close()
            return
        if self._line is not None:
            self._hang_up()  # the newest is the one that lives
        try:
            self._line = line = StreamLine(connection)
        except OSError as error:
            complain(f"a connection is refused: {error}")
            connection.close()
            return
        self._loop.add_reader(line.fileno(), self._heard)
        self._tell(
            {
                "kind": "hello",
                "protocol": PROTOCOL,
                "version": VERSION,
                "node": self._node,
                "host": socket.gethostname(),
                "pid": os.getpid(),
                "jobs": [post.job_id for post in self._posts.values() if not post.ending],
                "kept": self._estate.kept(self._posts),
                "wall": time.time(),
            }
        )
        if self._stopping:
            self._say_leaving()
        self._beat()

    def _say_leaving(self) -> None:
        """Before anything is told that has ended: its slot is nobody's any more."""
        self._tell({"kind": "leaving"})

    def _hang_up(self) -> None:
        line, self._line = self._line, None
        if line is not None:
            self._loop.remove_reader(line.fileno())
            line.close()
            self._carriage.hang_up()

    def _tell(self, message: Message) -> None:
        if self._line is not None:
            try:
                self._line.send(message)
            except CodecError as error:
                complain(f"a message cannot be sent: {error}")

    def _heard(self) -> None:
        line = self._line
        if line is None:
            return
        for message in line.drain():
            try:
                self._handle(message)
            except (KeyError, TypeError, ValueError) as error:
                complain(f"message not understood: {message!r:.200}: {error!r}")
        if line.closed and line is self._line:
            self._hang_up()

    def _handle(self, message: Message) -> None:
        kind = message["kind"]
        if kind == "renew":
            self._lease.extend(message["at"])
            for job_id in self._posts:
                self._tell_lease(job_id)
            self._lapsed = self._lapsed and self._lease.over(clock())
        elif kind == "open":
            self._open(message["settings"])
        elif kind == "job":
            self._to_worker(message["job_id"], message["message"])
        elif kind == "close":
            self._close(message["job_id"], float(message["grace"]), bool(message.get("over")))
        elif kind == "check":
            self._check()
        elif kind == "leave":
            self._leave()
        else:
            self._carriage.hear(message)

    def _leave(self) -> None:
        """Nobody wants this node any more: it ends, when nothing is left on it."""
        self._leaving = True
        self._end_all(self._grace, "stopped")
        if not self._posts:
            self._loop.stop()

    def _check(self) -> None:
        """Runs a program that does nothing; its end is told when it is reaped."""
        try:
            self._checks.add(os.posix_spawn("/bin/sh", ["sh", "-c", "exit 0"], os.environ))
        except OSError as error:
            complain(f"no program can be run: {error}")
            self._tell({"kind": "checked", "status": -1})

    # -- the lease

    def _tick(self) -> None:
        """Asks for the lease, ends all when it is over, and itself when it is wanted no more."""
        now = clock()
        if self._lease.over(now) and not self._lapsed:
            self._lapsed, self._useless_since = True, now
            if self._posts:
                complain(f"the lease of node {self._node} is over: all that runs is ended")
            self._end_all(self._grace, "lost")
        useless = self._lapsed and not self._posts
        if useless and now - self._useless_since > ALONE_SECONDS:
            self._estate.remove_all()  # nothing of it counts any more
            self._loop.stop()
        self._beat()
        left = self._lease.until - now
        soon = min(self._lease.every, left) if left > 0 else self._lease.every
        self._loop.call_later(max(0.01, soon), self._tick)

    def _beat(self) -> None:
        self._tell({"kind": "beat", "at": clock(), "wall": time.time()})

    def _end_all(self, grace: float, category: str) -> None:
        self._again.clear()
        limit = {}
        if self._stopping:
            lives = self._lifetime, self._ends_at
            limit = limit_of(self._node, *lives, self._stopped_at, self._grace)
        for post in list(self._posts.values()):
            post.end(grace, category, limit)

    # -- jobs

    def _open(self, settings: dict[str, Any]) -> None:
        job_id = settings["job_id"]
        if self._lease.over(clock()) or self._stopping or self._leaving:
            self._trouble(job_id, "its lease is over")
            return
        post = self._posts.get(job_id)
        if post is not None:
            if post.ending:
                self._again[job_id] = settings
            return
        if settings.get("staged"):
            settings |= self._estate.places(job_id)
        settings |= {"owner": self._owner, "conductor_pid": os.getpid()}
        settings["conductor_start_time"] = procfs.start_time(os.getpid())
        settings["environment"] = self._environment
        self._posts[job_id] = post = Post(
            self._loop,
            settings,
            heard=self._said,
            troubled=self._trouble,
            begun=lambda: self._tell_lease(job_id),
            over=self._over,
        )
        try:
            os.makedirs(os.path.dirname(settings["spool"]), mode=0o700, exist_ok=True)
            prepare(settings["job_dir"])
        except OSError as error:
            del self._posts[job_id]
            self._trouble(job_id, in_words(error, settings["job_dir"]))
            return
        post.start()

    def _tell_lease(self, job_id: str) -> None:
        """A worker keeps it, too: its warden may be stopped when it is over."""
        post = self._posts.get(job_id)
        if post is not None:
            post.send({"kind": "lease", "until": self._lease.until})

    def _to_worker(self, job_id: str, message: Message) -> None:
        post = self._posts.get(job_id)
        if message["kind"] == "run":
            if post is None or post.ending or not post.working or self._lease.over(clock()):
                keys = [(one["num"], one["attempt"]) for one in message["sheets"]]
                self._refuse(job_id, keys)
                return
            message["sheets"] = self._claimed(post, message["sheets"])
        if post is not None and not post.ending:
            post.send(message)  # else a hello that lacks the job is on its way

    def _refuse(self, job_id: str, keys: list[tuple[int, int]]) -> None:
        """They have not begun here, and will not."""
        attempts = [[num, attempt, ""] for num, attempt in keys]
        self._tell({"kind": "refused", "job_id": job_id, "attempts": attempts})

    def _claimed(self, post: Post, grants: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Those that no other node has begun."""
        mine, refused = [], []
        for grant in grants:
            key = grant["num"], grant["attempt"]
            try:
                owner = claim(post.job_dir, *key, self._node)
            except OSError as error:
                self._trouble(post.job_id, in_words(error, post.job_dir))
                continue  # it is said again with the next hello
            if owner == self._node:
                mine.append(grant)
            else:
                refused.append([*key, owner])
        if refused:
            self._tell({"kind": "refused", "job_id": post.job_id, "attempts": refused})
        return mine

    def _close(self, job_id: str, grace: float, over: bool) -> None:
        self._again.pop(job_id, None)
        post = self._posts.get(job_id)
        if over:
            self._done_with.add(job_id)
        if post is None:
            self._tell_closed(job_id)
        else:
            post.end(grace, "cancelled")

    def _said(self, job_id: str, message: Message) -> None:
        self._tell({"kind": "job", "job_id": job_id, "message": message})

    def _trouble(self, job_id: str, why: str) -> None:
        self._tell({"kind": "trouble", "job_id": job_id, "why": why})

    def _over(self, job_id: str) -> None:
        del self._posts[job_id]
        self._useless_since = clock()
        self._tell_closed(job_id)
        if job_id in self._again:
            self._open(self._again.pop(job_id))
        if (self._stopping or self._leaving) and not self._posts:
            self._loop.stop()

    def _tell_closed(self, job_id: str) -> None:
        if job_id in self._done_with:
            self._done_with.discard(job_id)
            self._estate.remove(job_id)
        self._tell({"kind": "closed", "job_id": job_id})

    # -- signals

    def _signalled(self) -> None:
        signals = self._signals.take()
        if signal.SIGTERM in signals or signal.SIGINT in signals:
            grace = 0.0 if self._stopping else self._grace
            self._stopped_at = self._stopped_at or time.time()
            self._stopping = True
            self._say_leaving()
            self._end_all(grace, "stopped")
            if not self._posts:
                self._loop.stop()
        self._reap()

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if pid in self._checks:
                self._checks.discard(pid)
                self._tell({"kind": "checked", "status": os.waitstatus_to_exitcode(status)})
            self._carriage.reaped(pid)
            posts = list(self._posts.values())
            for post in posts:
                if post.pid == pid:
                    spare = [other.pid for other in posts if other.pid and other is not post]
                    post.ended(status, self._owner, spare)
                    self._give_back(post)

    def _give_back(self, post: Post) -> None:
        keys = post.take_unheard()
        for num, attempt in keys:
            release(post.job_dir, num, attempt)
        if keys:
            self._refuse(post.job_id, keys)

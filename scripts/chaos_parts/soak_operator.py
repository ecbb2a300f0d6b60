"""Who starts, stops and restarts: by the command line, as a person or a service manager would."""

from __future__ import annotations

import queue
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

from soak_book import Book
from soak_ledger import Violation
from soak_orders import OVER
from soak_places import CLIENT, CONDUCTOR, HEART, Process, look, refine

from ipc.client import Client
from ipc.errors import IpcError

LONGEST = 240.0
"""Seconds within which any of these commands must return, whatever freezes meanwhile."""
SERVES = 150.0
"""Seconds within which a conductor serves again when nothing is wrong any more."""


class Operator(threading.Thread):
    """The only one who starts and stops the conductor of a home."""

    def __init__(
        self, book: Book, program: Path, home: Path, token: str, env: dict[str, str]
    ) -> None:
        super().__init__(name="operator", daemon=True)
        self._book, self._program, self._home = book, program, home
        self._token, self.env = token, env
        self._orders: queue.Queue[tuple[str, float]] = queue.Queue()
        self._silent = 0.0
        self._cancelled: dict[str, int] = {}
        self.enough = threading.Event()
        self.idle = threading.Event()
        self.busy_with = ""

    def order(self, command: str, pause: float) -> None:
        """Asks for a command; ``pause`` seconds lie between a stop and the next start."""
        self._orders.put((command, pause))

    def run(self) -> None:
        while not self.enough.is_set():
            try:
                self._next()
            except Exception as error:  # noqa: BLE001 - nobody else would start it again
                self._book.wrong(Violation("the soak itself", f"operator: {error!r}"))

    def _next(self) -> None:
        try:
            command, pause = self._orders.get(timeout=1.0)
        except queue.Empty:
            self._watch()
            self.idle.set()
            return
        self.idle.clear()
        self.do(command, pause)

    # -- commands

    def start_first(self) -> None:
        """The first start, before anything is disturbed. RuntimeError when it fails."""
        code, said = self.marianne("start")
        if code:
            raise RuntimeError(f"marianne start exits {code}: {said}")

    def marianne(self, *words: str) -> tuple[int, str]:
        """Runs it; its exit code and what it said. A command that hangs is a violation."""
        command = " ".join(words)
        strike = self._book.struck("command", command, seconds=LONGEST)
        self.busy_with = command
        process = subprocess.Popen(
            [self._program, *words], env=self.env, stdin=subprocess.DEVNULL, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        try:
            said, _ = process.communicate(timeout=LONGEST)
        except subprocess.TimeoutExpired:
            shown = tuple(f"{p.pid} {p.role} {p.state}" for p in self.processes())
            process.kill()
            said = (process.communicate()[0] or "") + " (hangs)"
            self._book.wrong(Violation("commands return", f"{command} hangs", evidence=shown))
        strike.end = time.monotonic_ns()
        self.busy_with = ""
        return process.returncode, said.strip()

    def do(self, command: str, pause: float) -> None:
        """One command and what belongs to it; afterwards a conductor serves."""
        self._book.count(f"command {command}")
        if command == "restart":
            begun = time.monotonic_ns()
            code, said = self.marianne("restart")
            if code:
                self._excuse("restart", code, said, begun)
        elif command.startswith("stop"):
            self.bring_down(*command.split()[1:])
            self.enough.wait(pause)
        self.bring_up()
        self._look_at_cancelled()
        self._book.cancelling = False

    def bring_down(self, *how: str) -> None:
        """Stops it; afterwards nothing of the home may be left."""
        open_before = self._book.cancel_all() if "--cancel" in how else []
        acts = {order.job: order.acts for order in open_before}
        begun = time.monotonic_ns()
        code, said = self.marianne("stop", *how)
        if code:
            self._excuse("stop " + " ".join(how), code, said, begun)
        else:
            left = self.processes()
            if left:
                time.sleep(0.05)  # a zombie's last breath is no process
                left = [p for p in self.processes() if p.pid in {old.pid for old in left}]
            if left:
                shown = tuple(f"{p.pid} {p.role} {p.state} {p.line[:120]}" for p in left)
                text = f"stop {' '.join(how)} returned 0 ({said}) with {len(left)} processes"
                self._book.wrong(Violation("no process left", text, evidence=shown))
        for _ in range(3):
            if not self.serving_processes():
                break
            self.marianne("stop", "--force")
        # Where nobody runs nothing is stopped, and nothing cancelled: it says so.
        if "--cancel" in how and not code and "no conductor is running" not in said:
            self._cancelled = acts

    def _look_at_cancelled(self) -> None:
        """After `stop --cancel` said that it is done, no job that was open goes on."""
        jobs, self._cancelled = self._cancelled, {}
        for job, acts in jobs.items():
            order = self._book.orders[job]
            if order.acts != acts:
                continue
            view = self.ask("job.status", {"job_id": job})
            if view is None:  # it died again: who would start it stands here
                return
            if view["status"] not in OVER and order.acts == acts:
                said = f"stop --cancel was done, the job is {view['status']}"
                self._book.wrong(Violation("cancelled by the stop", said, job))

    def bring_up(self) -> None:
        """Starts it until it serves; refusals are a violation when nothing was wrong."""
        deadline = time.monotonic() + SERVES * 2
        while not self.enough.is_set() and time.monotonic() < deadline:
            begun = time.monotonic_ns()
            code, said = self.marianne("start")
            if not code:
                return
            self._excuse("start", code, said, begun)
            self.enough.wait(1.0)

    def _excuse(self, command: str, code: int, said: str, begun: int) -> None:
        """A command failed: fair while something was broken, else a violation."""
        self._book.count("command failed: " + command.partition(" ")[0])
        end = time.monotonic_ns()
        with self._book.lock:
            others = [
                strike
                for strike in self._book.strikes
                if strike.kind not in ("command", "hold")
                and strike.touches(begun - 20_000_000_000, end)
            ]
        if not others:
            self._book.wrong(Violation("commands work", f"{command} exits {code}: {said[-600:]}"))

    # -- watching

    def processes(self) -> list[Process]:
        """The home's processes without those of customers and of this operator."""
        return [p for p in refine(look(self._token)).values() if p.role != CLIENT]

    def serving_processes(self) -> list[Process]:
        return [p for p in self.processes() if p.role in (CONDUCTOR, HEART)]

    def _watch(self) -> None:
        """What a service manager would do: a dead one is started, a deaf one restarted, one
        without a heart is stopped and started."""
        if not self.serving_processes():
            self.bring_up()
            return
        ready = self.ask("daemon.ready")
        now = time.monotonic()
        if ready is None:
            self._silent = self._silent or now
            if now - self._silent > 20.0 and self._book.quiet(
                time.monotonic_ns() - 15_000_000_000, time.monotonic_ns()
            ):
                self._silent = 0.0
                self.do("restart", 0.0)
            elif now - self._silent > SERVES:
                self._silent = now
                self._book.wrong(Violation("serves again", f"no answer for {SERVES:g} s"))
                self.do("stop --force", 0.0)
            return
        self._silent = 0.0
        if ready["heart_lost"]:
            self.do("stop", 0.0)

    def ask(self, method: str, params: dict[str, Any] | None = None) -> dict[str, Any] | None:
        """An answer, or None."""
        try:
            with Client(self._home / "conductor.sock") as client:
                return dict(client.request(method, params or {}, 3.0))
        except IpcError:
            return None

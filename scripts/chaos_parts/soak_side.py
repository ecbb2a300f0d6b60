"""A first start that is disturbed: a home of its own, once; then it must start and work."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import threading
import time
from pathlib import Path
from random import Random

from soak_book import Book
from soak_ledger import Violation
from soak_places import CLIENT, look, refine
from soak_plan import Fault
from soak_strike import Shim

TRY_LATER = 75
LATER_SECONDS = 15.0
"""A conductor looks every two seconds whether a disk that failed works again. Until it has seen it
it may say "later", as its exit code does; no longer."""

SCORE = "name: first\nworkspace: ./spaces/first\nsheets:\n  - name: one\n    run: echo done\n"


class FirstStart:
    """Begins a home, strikes once while it starts, starts it again, plays a job, stops it."""

    def __init__(
        self, book: Book, program: Path, folder: Path, token: str, env: dict[str, str], number: int
    ) -> None:
        self._book, self._program, self._folder = book, program, folder
        self._token = f"{token[::-1]}-{number}"  # not to be taken for one of the main home
        self._home = folder / "home"
        self._home.mkdir(parents=True, mode=0o700)
        (self._home / "conductor.yaml").write_text("sheet_grace_seconds: 0.5\n")
        (folder / "first.yaml").write_text(SCORE)
        self._env = env | {"MARIANNE_HOME": str(self._home), "SOAK_TOKEN": self._token}
        self._shim = Shim(folder / "shim")
        self._env["FAULT_SHIM_CONTROL"] = str(folder / "shim")
        self._env["FAULT_SHIM_PLACE"] = str(self._home)

    def run(self, fault: Fault, seed: int) -> None:
        (strike,) = fault.with_it
        timer = threading.Timer(strike.at, self._strike, (strike, Random(seed)))
        timer.start()
        first = self._marianne("start")
        timer.join()
        time.sleep(min(strike.seconds, 4.0))
        self._undo()
        steps = (("start",), ("run", "--no-start", "--wait", str(self._folder / "first.yaml")))
        for words in (*steps, ("stop",)):
            done = self._when_it_can(*words)
            if done.returncode:
                said = (
                    f"first start with {strike.text()} ({first.returncode}: {first.stdout[-200:]})"
                )
                said += f"; then {words[0]} exits {done.returncode}: {done.stdout[-400:]}"
                self._book.wrong(Violation("a first start can be made again", said))
                break
        left = [p for p in look(self._token).values() if p.role != CLIENT]
        if left:
            shown = tuple(f"{p.pid} {p.role} {p.line[:120]}" for p in left)
            said = f"first start with {strike.text()}: processes left"
            self._book.wrong(Violation("no process left", said, evidence=shown))
            for process in left:
                os.kill(process.pid, signal.SIGKILL)
        else:
            shutil.rmtree(self._folder, ignore_errors=True)

    def _when_it_can(self, *words: str) -> subprocess.CompletedProcess[str]:
        until = time.monotonic() + LATER_SECONDS
        done = self._marianne(*words)
        while done.returncode == TRY_LATER and time.monotonic() < until:
            time.sleep(0.2)
            done = self._marianne(*words)
        return done

    def _marianne(self, *words: str) -> subprocess.CompletedProcess[str]:
        try:
            return subprocess.run(
                [self._program, *words], env=self._env, stdin=subprocess.DEVNULL, text=True,
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=90, check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return subprocess.CompletedProcess(words, 124, f"{words[0]} hangs", "")

    def _strike(self, strike: Fault, random: Random) -> None:
        if strike.kind == "disk":
            self._shim.disk(strike.what, strike.amount)
            return
        found = [p for p in refine(look(self._token)).values() if p.role != CLIENT]
        chosen = [p for p in found if p.role == strike.what] or found
        if not chosen:
            return
        signum = signal.SIGSTOP if strike.kind == "freeze" else signal.SIGKILL
        os.kill(random.choice(chosen).pid, signum)

    def _undo(self) -> None:
        self._shim.off()
        for process in look(self._token).values():
            if process.state == "T":
                os.kill(process.pid, signal.SIGCONT)

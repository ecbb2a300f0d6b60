"""Customers who use the command line: real processes, which may be killed as well."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path

from soak_book import Book
from soak_customers import PATIENCE, Customer, Refused
from soak_ledger import Violation
from soak_orders import MAYBE, NO, OVER, YES, Order
from soak_scores import Place

from ipc.client import Client

DONE, FAILED, NO_CONDUCTOR, NO_JOB, CONFLICT, LATER, TIMED_OUT = 0, 1, 3, 4, 5, 75, 124
ENDS = {"completed": DONE, "failed": FAILED, "cancelled": FAILED}


class Caller(Customer):
    """Submits and waits by ``marianne run --wait``, and says the rest by commands too."""

    def __init__(
        self,
        book: Book,
        place: Place,
        home: Path,
        seed: int,
        shape: tuple[int, int, float],
        program: Path,
    ) -> None:
        super().__init__(book, place, home / "conductor.sock", seed, shape)
        self._program = program
        self.env |= {"MARIANNE_HOME": str(home)}

    def _act(self, client: Client) -> None:
        roll = self._random.random()
        if roll < 0.6 or not self._mine:
            self._run(client)
            return
        order = self._random.choice(self._mine)
        view = self.look(client, order)
        if view["status"] in OVER:
            self._mine.remove(order)
            return
        verb = self._random.choice(("pause", "resume", "cancel", "status", "wait", "explain"))
        more = ("--timeout", "5") if verb == "wait" else ("--yes",) if verb == "cancel" else ()
        strike = None
        if verb == "cancel":
            order.cancel = MAYBE if order.cancel == NO else order.cancel
            strike = self._book.struck("cancel", order.job, seconds=PATIENCE)
        order.acts += 1
        code, said = self._call(verb, order.job, *more)
        if strike is not None:
            strike.end = time.monotonic_ns()
        order.said.append(f"marianne {verb}: {code}")
        if code == DONE and verb == "cancel":
            order.cancel = YES
        if verb == "resume" and order.cancel == YES:  # it goes on, if it was over by then
            order.cancel = MAYBE
        fair = {DONE, FAILED, CONFLICT} | ({TIMED_OUT} if verb == "wait" else set())
        self._check(verb, code, said, order, fair)

    def _run(self, client: Client) -> None:
        score = self.new_score()
        order = self._book.order(Order(score.name, score))
        if score.follower is not None:
            self._submit_follower(order)
        self._book.count("jobs")
        wait = ("--wait", "--timeout", "60") if self._random.random() < 0.7 else ()
        path = str(self._folder / f"{score.name}.yaml")
        code, said = self._call("run", path, "--no-start", "--id", score.name, "--json", *wait)
        order.said.append(f"marianne run {' '.join(wait)}: {code}")
        self._mine.append(order)
        fair = {DONE, FAILED, TIMED_OUT} if wait else {DONE}
        told = json.loads(said) if code in (DONE, FAILED) else {}
        if told and "job_id" not in told:  # the error is the command's, not the job's
            fair = set()
        if self._check("run", code, said, order, fair) and code in (DONE, FAILED):
            order.submitted = YES
            if wait and ENDS[told["status"]] != code:
                text = f"run --wait exits {code} and says {told['status']}"
                self._book.wrong(Violation("exit codes", text, order.job))
            self.look(client, order)
        elif code == TIMED_OUT:
            order.submitted = YES
        self._settle_unknown(client, order)

    def _submit_follower(self, order: Order) -> None:
        from soak_customers import follower

        after = follower(order.score)
        self._book.order(Order(after.name, after, parent=order.job))

    def _settle_unknown(self, client: Client, order: Order) -> None:
        """After a command that was cut short: whether the job is there."""
        if order.submitted == YES:
            return
        try:
            self.look(client, order)
            order.submitted = YES
        except Refused:
            self._mine.remove(order)

    def _check(self, verb: str, code: int, said: str, order: Order, fair: set[int]) -> bool:
        """Whether the code is one that the customer must put up with; else a violation."""
        if code in fair or code < 0:  # below zero: the striker killed it
            return code >= 0
        now = time.monotonic_ns()
        troubled = not self._book.quiet(now - 70_000_000_000, now)
        if code in (NO_CONDUCTOR, LATER, TIMED_OUT) and troubled:
            self._book.count(f"commands put off: {verb} {code}")
            return False
        if code == NO_JOB and order.submitted != YES:
            return False
        if "is damaged" in said and self._book.unreadable():
            self._book.count("told of damage")
            return False
        text = f"marianne {verb} exits {code}: {said[-500:]}"
        self._book.wrong(Violation("exit codes", text, order.job))
        return False

    def _call(self, *words: str) -> tuple[int, str]:
        self._book.count("requests")
        process = subprocess.Popen(
            [self._program, *words], env=self.env, cwd=self._folder, text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        self._book.clients.add(process.pid)
        try:
            said, words_of_it = process.communicate(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            said, words_of_it = process.communicate()
            text = f"marianne {' '.join(words)} hangs: {words_of_it[-300:]}"
            self._book.wrong(Violation("requests answered", text))
        self._book.clients.discard(process.pid)
        return process.returncode, said if process.returncode in (DONE, FAILED) else (
            said + words_of_it
        )

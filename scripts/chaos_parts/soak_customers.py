"""Customers: each asks for all kinds of things, knows what it asked for, and judges the ends."""

from __future__ import annotations

import os
import threading
import time
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from random import Random
from typing import Any

from soak_book import Book
from soak_ledger import Violation
from soak_orders import CANCELLED, MAYBE, NO, OVER, YES, Order, judge, refusal
from soak_scores import Place, Score, Sheet, random_score, text

from ipc.client import Client
from ipc.errors import DeadlineExceeded, IpcError, RemoteError

PATIENCE = 300.0
"""Seconds within which each request must be answered: longer than any outage of the plan."""


ASLEEP = 4.0
"""Seconds after a job's end within which whoever waits for it has heard of it."""


class Refused(Exception):  # noqa: N818 - what happened, not an error
    """The conductor said no, as it may."""


class Customer(threading.Thread):
    """One client of the library. Keeps ``live`` jobs open, and at times more."""

    def __init__(
        self, book: Book, place: Place, socket: Path, seed: int, shape: tuple[int, int, float]
    ) -> None:
        super().__init__(name=f"customer {seed}", daemon=True)
        self._book, self._place, self._socket = book, place, socket
        self._random, self._seed, self._shape = Random(seed), seed, shape
        self._folder = Path(place.folder)
        self._mine: list[Order] = []
        self._number = 0
        self.enough = threading.Event()
        self.env = {
            "PATH": os.environ["PATH"],
            "SOAK_TOKEN": place.token,
            "WITNESS_LEDGER": str(self._folder / "ledger"),
        }

    def run(self) -> None:
        with Client(self._socket) as client:
            while not self.enough.wait(self._random.uniform(0.05, 0.4)):
                try:
                    self._act(client)
                except Refused:
                    pass
                except Exception as error:  # noqa: BLE001 - a dead customer would prove nothing
                    self._book.wrong(Violation("the soak itself", f"{self.name}: {error!r}"))

    # -- what it does

    def _act(self, client: Client) -> None:
        roll, live = self._random.random(), self._shape[0]
        if len(self._mine) < live or (roll < 0.2 and len(self._mine) < live * 3):
            self._submit(client)
        elif roll < 0.25:
            self._nonsense(client)
        else:
            self._care(client, self._random.choice(self._mine), self._random.random())

    def new_score(self) -> Score:
        """The next job, its file and that of its follower written."""
        self._number += 1
        # No name is the beginning of another: one that is not there would be taken for it.
        name = f"j{self._seed}-{self._number:04}"
        score = random_score(self._random, name, *self._shape[1:])
        if self._random.random() < 0.08:
            score = replace(score, follower=f"after-{name}")
            self._write(follower(score))
        self._write(score)
        return score

    def _write(self, score: Score, suffix: str = "") -> Path:
        path = self._folder / f"{score.name}{suffix}.yaml"
        path.write_text(text(score, self._place))
        return path

    def _submit(self, client: Client) -> None:
        score = self.new_score()
        order = self._book.order(Order(score.name, score))
        if score.follower is not None:
            self._book.order(Order(score.follower, follower(score), parent=score.name))
        params = {
            "config_path": str(self._folder / f"{score.name}.yaml"),
            "client_cwd": str(self._folder),
            "id": score.name,
            "priority": self._random.randint(1, 10),
            "environment": self.env,
        }
        request = f"{score.name}-{self._random.getrandbits(64):x}"
        answer = self._ask(client, "submit", params, order, request)
        order.submitted = YES
        self._mine.append(order)
        self._book.count("jobs")
        self._ask_again(client, "submit", params, order, (request, answer))

    def _care(self, client: Client, order: Order, roll: float) -> None:
        if roll < 0.35:
            self._wait(client, order)
        view = self.look(client, order)
        status = view["status"]
        if status in OVER:
            self._after(client, order, status, roll)
        elif status == "paused" or (status == "pausing" and roll < 0.5):
            if status == "paused" and order.score.breakable and roll > 0.8:
                self._modify(client, order)
            else:
                self._wish(client, "resume", order)
                if order.held is not None:
                    order.held.end = time.monotonic_ns()
        elif roll < 0.5:
            self._pause(client, order)
        elif roll < 0.56:
            self._cancel(client, order)
        elif roll < 0.62 and order.score.breakable and not order.score.repaired:
            self._modify(client, order)
        elif roll < 0.75:
            method = self._random.choice(("explain", "history", "errors", "diagnose", "output"))
            self._ask(client, method, {"job_id": order.job}, order)

    def _pause(self, client: Client, order: Order) -> None:
        """Lets what runs finish, or has it stand still: between its last line and its exit, too."""
        now = self._random.random() < 0.5
        if now:
            order.held = self._book.struck("hold", order.job, seconds=PATIENCE)
        self._wish(client, "pause", order, now=now)

    def _after(self, client: Client, order: Order, status: str, roll: float) -> None:
        """A job that is over: repaired and tried again, cleared, or left alone."""
        if status == "failed" and order.score.breakable and not order.score.repaired:
            workspace = self._folder / "spaces" / order.score.name
            workspace.mkdir(parents=True, exist_ok=True)
            (workspace / "repaired").touch()
            self._again(client, order, "retry" if roll < 0.5 else "resume")
            order.score = order.score.repair()
        elif status == CANCELLED and order.cancel != NO and roll < 0.3:
            before, order.cancel = order.cancel, self._book.no_cancel()
            try:
                self._again(client, order, "resume")
            except Refused:
                order.cancel = before
                raise
        else:
            self._mine.remove(order)
            # A tail that has not yet heard the end could never ask for it afterwards.
            heard = self._book.told.get(order.job) == f"job.{status}"
            if roll < 0.15 and heard and order.score.follower is None:
                self._ask(client, "clear", {"ids": [order.job]}, order)
                order.cleared = True

    def _again(self, client: Client, order: Order, verb: str) -> None:
        if order.score.hooked:
            self._outwait_hooks(client, order)
        order.acts += 1
        self._book.reopened(order.job)
        params = {"job_id": order.job} if verb == "retry" else {"ids": [order.job]}
        answer = self._ask(client, verb, params, order)
        entry = answer["jobs"][0] if "jobs" in answer else {"ok": True}
        if not entry["ok"]:
            said = f"{verb} of a job that is over was refused: {entry['error']}"
            self._book.wrong(Violation("refusals as asked", said, order.job))

    def _outwait_hooks(self, client: Client, order: Order) -> None:
        """While the hooks of a job run nobody may let it go on; who waits for it waits for them."""
        while not self.enough.is_set():
            try:
                client.request("job.wait", {"job_id": order.job}, 10.0)
                return
            except (IpcError, RemoteError):
                self.enough.wait(0.5)

    def _modify(self, client: Client, order: Order) -> None:
        healed = tuple(
            replace(sheet, behaviour="works") if sheet.behaviour == "broken" else sheet
            for sheet in order.score.sheets
        )
        better = replace(order.score, sheets=healed)
        path = self._write(better, ".m")
        params = {
            "job_id": order.job,
            "config_path": str(path),
            "client_cwd": str(self._folder),
        }
        order.acts += 1
        self._ask(client, "modify", params, order)
        order.score = better
        self._book.reopened(order.job)

    def _cancel(self, client: Client, order: Order) -> None:
        order.cancel = MAYBE
        strike = self._book.struck("cancel", order.job, seconds=PATIENCE)
        told = self._wish(client, "cancel", order)
        if told is not None:
            # One whose last sheet had ended by itself is told to be completed, and stays so.
            order.cancel = YES if told["status"] == CANCELLED else self._book.no_cancel()
        strike.end = time.monotonic_ns()

    def _wish(self, client: Client, verb: str, order: Order, **more: Any) -> dict[str, Any] | None:
        """What the job answered; None for a refusal that the customer has to put up with."""
        order.acts += 1
        request = f"{verb}-{self._random.getrandbits(64):x}"
        params = {"ids": [order.job], **more}
        answer = self._ask(client, verb, params, order, request)
        (entry,) = answer["jobs"]
        if entry["ok"]:
            self._book.count(
                " ".join([f"jobs told to {verb}", *(key for key in more if more[key])])
            )
            self._ask_again(client, verb, params, order, (request, answer))
            return dict(entry)
        code = entry["error"]["code"]
        if not refusal(verb, code, order):
            self._book.wrong(Violation("refusals as asked", f"{verb}: {entry}", order.job))
        return None

    def _ask_again(
        self,
        client: Client,
        verb: str,
        params: dict[str, Any],
        order: Order,
        before: tuple[str, Any],
    ) -> None:
        """At times asks once more under the id of ``before``: the answer is the same."""
        request, answer = before
        if self._random.random() < 0.35:
            again = self._ask(client, verb, params, order, request)
            if again != answer:
                said = f"{verb}, asked again under the same id: {again}, before {answer}"
                self._book.wrong(Violation("one reply", said, order.job))

    def _wait(self, client: Client, order: Order) -> None:
        """Waits for a while; the end of a job must not be slept through."""
        self._book.count("requests")
        begun, acts = time.monotonic_ns(), order.acts
        try:
            client.request("job.wait", {"job_id": order.job}, self._random.uniform(0.5, 6.0))
            return
        except DeadlineExceeded:
            pass
        except RemoteError as error:
            put_off = ("deadline", "unavailable", "shutting_down", "pressure")
            if error.code not in put_off and not self._of_read_errors(error):
                self._book.wrong(Violation("refusals as asked", f"wait: {error}", order.job))
        ended, now = time.time(), time.monotonic_ns()
        view = self.look(client, order)
        if view["status"] in OVER and acts == order.acts and self._book.quiet(begun, now):
            over = datetime.fromisoformat(view["finished_at"]).timestamp()
            if order.score.hooked:  # it is over when what follows it is: on_exit is the last
                mark = self._folder / "hooks" / f"{order.job}.exit"
                marked = mark.stat().st_mtime if mark.exists() else 0.0
                over = marked if marked > over else ended
            late = ended - over
            if late > ASLEEP + 3 * self._book.lag / 1e9:
                said = f"wait had no answer {late:.1f} s after the job was over"
                self._book.wrong(Violation("requests answered", said, order.job))

    def _nonsense(self, client: Client) -> None:
        """Bad input: one clear error, and nothing else."""
        method, params, code = self._random.choice(
            (
                ("status", {"job_id": "nobody-knows-it"}, "not_found"),
                ("pause", {"ids": 7}, "invalid_params"),
                ("submit", {"score": "name: [", "client_cwd": "/"}, "invalid_score"),
                ("frobnicate", {}, "unknown_method"),
            )
        )
        try:
            self._book.count("requests")
            answer = client.request(f"job.{method}", params, PATIENCE)
            said = f"{method} with {params} was answered {answer}"
            self._book.wrong(Violation("refusals as asked", said))
        except RemoteError as error:
            if error.code != code and not self._of_read_errors(error):
                said = f"{method} with {params}: {error}, should be {code}"
                self._book.wrong(Violation("refusals as asked", said))
        except IpcError as error:
            self._book.wrong(Violation("requests answered", f"{method} with {params}: {error}"))

    # -- asking

    def _of_read_errors(self, error: RemoteError) -> bool:
        """Whether it is what read errors of the disk are taken for."""
        damage = "is damaged" in error.message and self._book.unreadable()
        if damage:
            self._book.count("told of damage")
        return damage

    def look(self, client: Client, order: Order) -> dict[str, Any]:
        """The job's status; judged when it is over and that is news."""
        acts = order.acts
        view: dict[str, Any] = self._ask(client, "status", {"job_id": order.job}, order)
        over = view["status"] in OVER and acts == order.acts
        if over and self._book.ended(order.job, view["status"]):
            order.said.append(f"told: {view['status']}")
            self._book.wrong(*judge(order, view))
            self._book.count(f"jobs {view['status']}")
        return view

    def _ask(
        self,
        client: Client,
        verb: str,
        params: dict[str, Any],
        order: Order,
        request: str | None = None,
    ) -> Any:
        """The answer. Refused when the refusal is fair; anything else is a violation too."""
        self._book.count("requests")
        begun = time.monotonic()
        try:
            answer = client.request(f"job.{verb}", params, PATIENCE, request)
        except RemoteError as error:
            order.said.append(f"{verb}: {error.code}")
            if not self._of_read_errors(error) and not refusal(verb, error.code, order):
                said = f"{verb}: {error} after {time.monotonic() - begun:.1f} s"
                self._book.wrong(Violation("refusals as asked", said, order.job))
            raise Refused from error
        except IpcError as error:
            order.said.append(f"{verb}: no answer")
            self._book.wrong(Violation("requests answered", f"{verb}: {error}", order.job))
            raise Refused from error
        if verb not in ("status", "explain", "history", "errors", "diagnose", "output"):
            order.said.append(verb)
        return answer


def follower(score: Score) -> Score:
    """What comes after a job that says so: a single sheet."""
    assert score.follower is not None
    return Score(score.follower, (Sheet(1, "works", seconds=0.1),))

"""What the bridge does for one node whose jobs' files are staged: it stands between conductor and
warden, and holds back what counts only when its files are where they belong.

A grant goes on when its attempt is claimed in the job's directory at the conductor; the job's first
message when its plan is on the node; a result when its outputs are in the workspace, what it
printed is in the job's directory, and it stands in the node's spool there. Then the node may forget
it.

What a restart finds: a new bridge knows nothing. The conductor opens each job anew, the node's
worker tells each result until it is acknowledged, and each attempt that waits for its files asks
again. What was half on its way begins anew; what stands in the spool is told from there.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable

from marianne.executors.claim import claim, prepare, release
from marianne.executors.staging import home
from marianne.executors.staging.attempts import Attempts, Job
from marianne.executors.staging.commit import clear_left
from marianne.executors.staging.names import StagingError
from marianne.executors.staging.stream import GoneError, Message, TransferError
from marianne.executors.staging.transfers import in_thread
from marianne.model.plan import Growth
from marianne.run.complain import complain
from marianne.run.said import said
from marianne.run.spool import Spool


class Staging:
    """What the carriers of one bridge have in common. ``jobs`` is where the conductor has the jobs'
    directories."""

    def __init__(self, jobs: str) -> None:
        self.jobs = jobs
        self.plans = home.Plans()


class Carrier:
    """Of one connection to the node. ``post`` sends to its warden, ``tell`` to the conductor what
    the warden would have; ``there`` are the jobs whose files the node has."""

    def __init__(
        self,
        staging: Staging,
        node: str,
        post: Callable[[Message], None],
        tell: Callable[[Message], None],
        there: Iterable[str],
    ) -> None:
        self._staging, self._node, self._post, self._tell = staging, node, post, tell
        self._plans = staging.plans
        self._there = set(there)
        self._jobs: dict[str, Job] = {}
        self._attempts = Attempts(node, self._plans, post, tell, self._jobs.get)

    def close(self) -> None:
        """The connection is gone."""
        self._attempts.close()
        for job in self._jobs.values():
            job.spool.close()
        self._jobs.clear()

    # -- from the conductor ---------------------------------------------------------------------

    def outward(self, message: Message) -> Message | None:
        """What of it goes on to the warden now."""
        kind = message["kind"]
        if kind == "open":
            return self._open(message)
        job_id = message.get("job_id", "")
        job = self._jobs.get(job_id)
        if kind == "close" and message.get("over"):
            self._end(job_id, job)
        elif kind == "job":
            if job is not None:
                return self._to_worker(job, message)
            self._unknown(message)
            return None
        return message

    def _unknown(self, message: Message) -> None:
        """The job could not be opened: none of its attempts begins."""
        if message["message"]["kind"] == "run":
            keys = [[one["num"], one["attempt"], ""] for one in message["message"]["sheets"]]
            self._tell({"kind": "refused", "job_id": message["job_id"], "attempts": keys})

    def _open(self, message: Message) -> Message | None:
        settings = message["settings"]
        staged, job_id, spool = settings["staged"], settings["job_id"], settings["spool"]
        message = {"kind": "open", "settings": {**settings, "staged": True, "spool": ""}}
        job = self._jobs.get(job_id)
        if job is None:
            try:
                os.makedirs(os.path.dirname(spool), mode=0o700, exist_ok=True)
                prepare(settings["job_dir"])
                opened = Spool(spool)
            except OSError as error:
                self._trouble(job_id, f"{error.filename}: {error.strerror}")
                return None
            most = 2 * (settings.get("output_limit_bytes") or 2**40)
            place = settings["job_dir"], staged["workspace"], staged["limit"], most
            self._jobs[job_id] = job = Job(home.Facts(job_id, *place), opened)
            left = job.facts.workspace
            self._attempts.begin(in_thread(lambda: clear_left(left, job_id)))
        message["settings"]["job_dir"] = ""
        if job.held is not None:
            return None
        if job_id not in self._there:
            job.held = [message]
            self._attempts.begin(self._bring_job(job_id, job))
            return None
        return message

    async def _bring_job(self, job_id: str, job: Job) -> None:
        """The plan and the environment; then what waits for them."""
        order = {"way": "job", "job_id": job_id, "num": 0, "attempt": 0}
        self._plans.forget(job.facts)
        try:
            await self._attempts.transfers.run(
                order, lambda channel: home.give_job(channel, job.facts)
            )
        except GoneError:
            return
        except (StagingError, TransferError) as error:
            self._trouble(job_id, f"its files do not come there: {error}")
            self._refuse_held(job_id, job)
            return
        self._there.add(job_id)
        held, job.held = job.held or [], None
        for message in held:
            self._post(message)

    def _refuse_held(self, job_id: str, job: Job) -> None:
        grants = [
            (sheet["num"], sheet["attempt"])
            for message in job.held or ()
            if message["kind"] == "job" and message["message"]["kind"] == "run"
            for sheet in message["message"]["sheets"]
        ]
        job.held = None
        for key in grants:
            release(job.facts.home, *key)
        if grants:
            attempts = [[*key, ""] for key in grants]
            self._tell({"kind": "refused", "job_id": job_id, "attempts": attempts})

    def _to_worker(self, job: Job, message: Message) -> Message | None:
        inner = message["message"]
        kind = inner["kind"]
        if kind == "ack":
            job.spool.ack(inner["serials"])
            return None
        if kind == "grow":
            growth = Growth(
                inner["source"], inner["first"], tuple(inner["items"]), tuple(inner["names"])
            )
            if growth not in job.facts.growths:
                job.facts.growths.append(growth)
        elif kind == "run":
            sheets = self._claimed(job, inner["sheets"])
            message = {**message, "message": {**inner, "sheets": sheets}}
        if job.held is not None:
            job.held.append(message)
            return None
        return message

    def _claimed(self, job: Job, grants: list[Message]) -> list[Message]:
        """Those that no other node has begun."""
        mine, refused = [], []
        for grant in grants:
            key = grant["num"], grant["attempt"]
            try:
                owner = claim(job.facts.home, *key, self._node)
            except OSError as error:
                self._trouble(job.facts.job_id, f"{error.filename}: {error.strerror}")
                continue  # it is said again with the next hello
            if owner == self._node:
                mine.append(grant)
            else:
                refused.append([*key, owner])
        if refused:
            self._tell({"kind": "refused", "job_id": job.facts.job_id, "attempts": refused})
        return mine

    def _end(self, job_id: str, job: Job | None) -> None:
        """Nothing of the job is wanted any more."""
        self._there.discard(job_id)
        self._attempts.begin(in_thread(lambda: home.clear(self._staging.jobs, job_id)))
        if job is not None:
            job.over = True
            self._attempts.transfers.end(job_id)
            del self._jobs[job_id]
            job.spool.close()
            self._plans.forget(job.facts)

    # -- from the warden ------------------------------------------------------------------------

    def inward(self, message: Message) -> Message | None:
        """What of it goes on to the conductor now."""
        try:
            return self._inward(message)
        except (KeyError, TypeError, ValueError) as error:
            complain(f"node {self._node}: not understood: {message!r:.200}: {error!r}")
            return None

    def _inward(self, message: Message) -> Message | None:
        kind = message["kind"]
        if kind == "stage":
            self._attempts.transfers.hear(message)
            return None
        if kind == "output":
            self._attempts.printed(message)
            return None
        job = self._jobs.get(message.get("job_id", ""))
        if kind == "job":
            return self._of_worker(job, message) if job is not None else None
        if kind == "refused" and job is not None:
            for num, attempt, owner in message["attempts"]:
                if not owner:
                    release(job.facts.home, int(num), int(attempt))
        elif kind == "closed":
            self._there.discard(message["job_id"])
        return message

    def _of_worker(self, job: Job, message: Message) -> Message | None:
        inner = message["message"]
        if inner["kind"] == "stage":
            self._attempts.stage(job, inner)
            return None
        heard = said(inner)  # before anything of it is used
        if inner["kind"] == "results":
            self._attempts.follow(job, heard["started"])
            self._attempts.hold(job, heard["results"])
            rest = {**inner, "results": []}
            return {**message, "message": rest} if heard["started"] else None
        if inner["kind"] == "hello":
            self._attempts.follow(job, heard["running"])
            self._attempts.hold(job, heard["unacked"])
            # What is held is on its way, and what is kept here is told from here.
            kept = job.spool.unacked
            known = {(one["num"], one["attempt"]) for one in kept}
            held = [[one["num"], one["attempt"]] for one in heard["unacked"]]
            ended = [pair for pair in (*heard["ended"], *held) if tuple(pair) not in known]
            return {**message, "message": {**inner, "unacked": kept, "ended": ended}}
        return message

    def _trouble(self, job_id: str, why: str) -> None:
        self._tell({"kind": "trouble", "job_id": job_id, "why": why})

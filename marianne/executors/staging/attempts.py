"""The files of one node's attempts: brought before they begin, fetched before their results count,
and what they print while they run."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Sequence
from dataclasses import field
from typing import Any

from marianne.executors.staging import following, home
from marianne.executors.staging.names import StagingError
from marianne.executors.staging.stream import GoneError, Message, TransferError, in_words
from marianne.executors.staging.transfers import Transfers, in_thread
from marianne.executors.staging.upkeep import Upkeep
from marianne.records import dataclass
from marianne.run.complain import complain
from marianne.run.outputs import Files
from marianne.run.spool import Spool

MOST_WAITING = 1_000
"""Pieces of output that wait to be written: a node that sends more keeps to no window."""

AGAIN_SECONDS = 5.0
"""Until what the machine could not do is tried again."""

Attempt = tuple[int, int]


@dataclass(slots=True)
class Job:
    """``held`` is what waits for the job's files to be on the node, None once they are; ``asked``
    are attempts whose files are on their way to the node, ``busy`` those whose files are on their
    way back, ``spoiled`` those whose output has a gap here.
    ``over``: nothing of it is wanted any more."""

    facts: home.Facts
    spool: Spool
    held: list[Message] | None = None
    over: bool = False
    asked: set[Attempt] = field(default_factory=set)
    busy: set[Attempt] = field(default_factory=set)
    followed: set[Attempt] = field(default_factory=set)
    spoiled: set[Attempt] = field(default_factory=set)


class Attempts:
    """Of one connection to the node. ``post`` sends to its warden, ``tell`` to the conductor what
    the warden would have, ``job_of`` finds a job by its id."""

    def __init__(
        self,
        node: str,
        plans: home.Plans,
        post: Callable[[Message], None],
        tell: Callable[[Message], None],
        job_of: Callable[[str], Job | None],
    ) -> None:
        self._node, self._plans, self._post, self._tell = node, plans, post, tell
        self._job_of = job_of
        self.transfers = Transfers(post)
        self._upkeep = Upkeep(plans)
        self._tasks: set[asyncio.Task[None]] = set()
        self._output: asyncio.Queue[Message] = asyncio.Queue()
        self.begin(self._write_output())

    def begin(self, work: Coroutine[Any, Any, None]) -> None:
        """Does it beside all else, until the connection is gone."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def close(self) -> None:
        """The connection is gone."""
        self.transfers.close()
        for task in self._tasks:
            task.cancel()

    def stage(self, job: Job, asked: Message) -> None:
        """An attempt waits for its files."""
        key = int(asked["num"]), int(asked["attempt"])
        if key not in job.asked and key not in job.busy:
            job.asked.add(key)
            self.begin(self._bring_inputs(job, key, asked))

    async def _bring_inputs(self, job: Job, key: Attempt, asked: Message) -> None:
        num, attempt = key
        facts = job.facts
        earlier = {int(other): int(one) for other, one in (asked.get("earlier") or {}).items()}
        answer: Message = {"kind": "staged", "num": num, "attempt": attempt}
        order = {"way": "in", "job_id": facts.job_id, "num": num, "attempt": attempt}
        order["limit"] = facts.limit
        try:
            if await in_thread(lambda: self._upkeep.fresh(facts, key, asked)):
                answer["fresh"] = True
            else:
                await self.transfers.run(
                    order,
                    lambda channel: home.give_inputs(channel, facts, self._plans, num, earlier),
                )
        except GoneError:
            return
        except StagingError as error:
            answer["why"] = str(error)
        except (TransferError, OSError) as error:
            answer |= {"why": str(error), "passes": True}
        finally:
            job.asked.discard(key)
        self._post({"kind": "job", "job_id": facts.job_id, "message": answer})

    def hold(self, job: Job, results: Iterable[Message]) -> None:
        """Attempts have ended: their results are told when what they left is here."""
        kept = {(one["num"], one["attempt"]) for one in job.spool.unacked}
        for result in results:
            key = result["num"], result["attempt"]
            if key in kept:
                self._kept(job, key, result["serial"])
            elif key not in job.busy:
                job.busy.add(key)
                if key in job.asked:  # it was ended before its files were there
                    self.transfers.end(job.facts.job_id, key)
                self.begin(self._bring_back(job, key, result))

    async def _bring_back(self, job: Job, key: Attempt, result: Message) -> None:
        """Until it is done, or the connection is gone: then the node tells it again."""
        serial = result["serial"]
        self._unfollow(job, key)
        try:
            while not job.over:
                try:
                    result = await self._fetched(job, key, result)
                    told = _kept_here(job.spool, result)
                    self._told(job, key, serial, told)
                    return
                except (TransferError, OSError) as error:
                    words = f"what sheet {key[0]} has made does not come back yet: {error}"
                    self._tell({"kind": "trouble", "job_id": job.facts.job_id, "why": words})
                    await asyncio.sleep(AGAIN_SECONDS)
        except GoneError:
            return
        finally:
            job.busy.discard(key)

    def _told(self, job: Job, key: Attempt, serial: int, told: Message) -> None:
        self._kept(job, key, serial)
        message = {"kind": "results", "results": [told], "started": []}
        self._tell({"kind": "job", "job_id": job.facts.job_id, "message": message})

    async def _fetched(self, job: Job, key: Attempt, result: Message) -> Message:
        """The result when its files are here; a failed one where they can never be."""
        facts, (num, attempt) = job.facts, key
        done = result["outcome"] == "completed"

        def patterns() -> list[str]:
            return home.outputs_of(facts, self._plans, num) if done else []

        try:
            declared = await in_thread(patterns)
            have = {} if key in job.spoiled else home.printed(facts, num, attempt)
            order = {"way": "out", "job_id": facts.job_id, "num": num, "attempt": attempt}
            order |= {"have": have, "patterns": declared, "limit": facts.limit}
            order["beyond"] = f"outputs {facts.beyond}"
            await self.transfers.run(
                order, lambda channel: home.take_back(channel, facts, num, attempt, declared)
            )
            if declared:
                await in_thread(lambda: self._upkeep.made(facts, key))
        except home.LateError:
            return result  # evidence, which the conductor keeps as that
        except home.NotMadeError as error:
            return _failed(result, "validation", error)
        except StagingError as error:
            if not done:
                complain(f"sheet {num}.{attempt}: {error}")  # its end counts as it is
                return result
            return _failed(result, "workspace", error)
        return result

    def _kept(self, job: Job, key: Attempt, serial: int) -> None:
        """The node may forget it."""
        job_id = job.facts.job_id
        ack = {"kind": "ack", "serials": [serial]}
        self._post({"kind": "job", "job_id": job_id, "message": ack})
        self._post({"kind": "forget", "job_id": job_id, "num": key[0], "attempt": key[1]})

    # -- what they print ------------------------------------------------------------------------

    def follow(self, job: Job, attempts: Iterable[Sequence[Any]]) -> None:
        """What these print is wanted while they run."""
        for num, attempt, *_ in attempts:
            self._follow(job, (num, attempt))

    def printed(self, message: Message) -> None:
        """A piece of what one prints. Raises ValueError for more than a window of it."""
        if self._output.qsize() > MOST_WAITING:
            raise ValueError("more output than was asked for")
        self._output.put_nowait(message)

    def _follow(self, job: Job, key: Attempt) -> None:
        if key in job.followed or key in job.busy:
            return
        job.followed.add(key)
        place = {"job_id": job.facts.job_id, "num": key[0], "attempt": key[1]}
        have = home.printed(job.facts, *key)
        self._post({"kind": "follow", **place, "have": have})

    def _unfollow(self, job: Job, key: Attempt) -> None:
        if key in job.followed:
            job.followed.discard(key)
            place = {"job_id": job.facts.job_id, "num": key[0], "attempt": key[1]}
            self._post({"kind": "unfollow", **place})

    async def _write_output(self) -> None:
        """One after the other, so that each file grows in order."""
        while True:
            message = await self._output.get()
            try:
                job_id, num, attempt, name = following.place_of(message)
                data, at = message["data"], int(message["at"])
            except (KeyError, TypeError, ValueError) as error:
                complain(f"node {self._node}: output not understood: {error!r}")
                continue
            job = self._job_of(job_id)
            if job is not None and 0 <= at <= job.facts.printed_limit - len(data):
                await self._write(job, (num, attempt), name, at, data)
            self._post({"kind": "output_took", "size": len(data)})

    async def _write(self, job: Job, key: Attempt, name: str, at: int, data: bytes) -> None:
        path = getattr(Files(job.facts.home, *key), name)
        try:
            await in_thread(lambda: following.write(path, at, data))
        except OSError as error:
            complain(f"{path}: {in_words(error)}; it comes when the sheet has ended")
            job.spoiled.add(key)
            self._unfollow(job, key)


def _kept_here(spool: Spool, result: Message) -> Message:
    """The result as it stands in the spool at the conductor. Raises OSError."""
    told = {**result}
    try:
        return spool.append(told)
    except OSError:
        spool.ack([told["serial"]])  # it is not in the file, and is tried again
        raise


def _failed(result: Message, category: str, error: Exception) -> Message:
    """Its program has done its part, and it came to nothing."""
    return {**result, "outcome": "failed", "category": category, "message": str(error)}

"""The seam between a conductor and what runs its jobs' sheets.

An :class:`Executor` gives each admitted job a :class:`Runner`: an actor beside the job's, which
takes grants and tells the job's actor (:class:`Hearer`) what became of them. What a
runner has begun or finished outlives it, and the conductor: it is told again in the next hello
until it is acknowledged. An attempt starts at most once, whatever is sent how often.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol, TypedDict

from marianne.model.placement import LOCAL
from marianne.records import dataclass

if TYPE_CHECKING:
    from actors import ChildSpec, Future, Promise
    from marianne.executors.beside import Again, CommandEnd, SideCommand
    from marianne.model.batch import Options
    from marianne.model.plan import Growth
    from marianne.replies import executors as told
    from marianne.state.models import JobRow


class Needs(NamedTuple):
    """What a sheet takes of where it runs, which has all the labels."""

    cpus: float = 1.0
    memory_mb: int = 0
    gpus: int = 0
    labels: tuple[str, ...] = ()
    batch: Options | None = None
    """Options of a batch job for it alone, where such are made; None: it wants none."""


USUAL: Final = Needs()

BATCH: Final = " batch"
"""Whose slots sheets take that have batch jobs of their own."""


@dataclass(frozen=True, slots=True)
class Run:
    """The leave to start an attempt of a sheet.

    ``outputs`` are completed sheets with their attempt, ``played`` those of them that a fallback
    instrument played (its index), ``skipped`` skipped ones. ``failed`` are the checks that the
    attempt before did not pass, ``states`` earlier sheets as ``skip_when`` sees them (status,
    attempt, exit code); both only where the worker may not know them. ``ahead``: not at once, but
    when another sheet of the job ends. ``needs`` are for who chooses where it runs, ``executor``
    is for who has several.
    """

    num: int
    attempt: int
    fallback: int = 0
    completion: bool = False
    outputs: dict[int, int] = field(default_factory=dict)
    skipped: tuple[int, ...] = ()
    played: dict[int, int] = field(default_factory=dict)
    failed: tuple[str, ...] = ()
    states: dict[int, tuple[str, int, int | None]] = field(default_factory=dict)
    ahead: bool = False
    needs: Needs = USUAL
    executor: str = LOCAL

    def to_map(self) -> dict[str, Any]:
        """As the worker takes it."""
        return {
            "num": self.num,
            "attempt": self.attempt,
            "fallback": self.fallback,
            "completion": self.completion,
            "outputs": self.outputs,
            "skipped": list(self.skipped),
            "played": self.played,
            "failed": self.failed,
            "states": self.states,
            "ahead": self.ahead,
        }


class Hello(TypedDict, total=False):
    """What a runner tells of its job in ``worker_up``."""

    running: Sequence[Sequence[int]]
    """Attempts that run, as pairs of sheet and attempt."""

    queued: Sequence[Sequence[int]]
    """Attempts that were granted ahead and have not begun."""

    ended: Sequence[Sequence[int]]
    """Attempts whose results are on their way."""

    held: bool
    """Whether all that runs stands still."""

    unacked: Sequence[dict[str, Any]]
    """Results that were not acknowledged yet, as AttemptResult.to_map."""


class RunnerTroubles(TypedDict):
    """What is ok of the runners, or not."""

    workers: str
    """``ok``, or in words which jobs' runners do not answer."""

    refused_worker_messages: int
    """Messages that came from strangers, or made no sense."""


class Hearer(Protocol):
    """The actor of an admitted job, ``job:<id>/job``, as its runner sees it."""

    def worker_up(self, hello: dict[str, Any], asker: int) -> None:
        """The runner lives, and says what runs and has finished, a :class:`Hello`, to the
        incarnation that asked: of another one it knows less than what was told meanwhile."""

    def results(
        self, results: Sequence[dict[str, Any]], started: Sequence[Sequence[Any]] = ()
    ) -> None:
        """Attempts ended (AttemptResult.to_map), and others (sheet, attempt, time, walls; where
        there are nodes, the node) began."""

    def withdrawn(self, sheets: Sequence[Sequence[int]]) -> None:
        """It gave back what it had been granted ahead: pairs of sheet and attempt."""


class Runner(Protocol):
    """Runs the sheets of one admitted job; the actor ``job:<id>/worker``.

    It tells the job's actor ``worker_up`` (once asked by ``report``), ``results`` and
    ``withdrawn``. When it crashes, the job's actor starts anew after it.
    """

    def report(self, asker: int) -> None:
        """The job's actor (re)started, as incarnation ``asker``: it wants ``worker_up``, with what
        runs at that moment."""

    def run(self, runs: Sequence[Run], slots: int | None = None) -> None:
        """Starts attempts at once, those that are ahead when others end: at most ``slots`` run."""

    def grow(self, growths: Sequence[Growth]) -> None:
        """Lists have added these sheets to the job's plan, in this order; what is known already is
        no news. It comes before a run of one of them, and again with each ``worker_up``."""

    def withdraw(self) -> None:
        """Takes back what was granted ahead and has not begun; ``withdrawn`` tells what that is."""

    def end_sheets(self, nums: Sequence[int], category: str) -> None:
        """Ends running attempts and all that they started. Their results come as interrupted, with
        the category; one that ended by itself before comes as it ended."""

    def hold(self, on: bool) -> None:
        """Has all that runs of the job stand still where it stands, or go on: whether it does
        stands in ``worker_up``. Where ``Executor.cannot_hold`` says why not, nobody is asked for
        the first; an earlier conductor may have been."""

    def acknowledge(self, serials: Sequence[int]) -> None:
        """Those results are committed: they need not be told again."""

    def finish(self) -> Promise[None]:
        """Ends all that is left of the job; answers when nothing of it runs any more."""


class Executor(Protocol):
    """What runs the sheets of a conductor's jobs. For the manager's thread, unless said.

    What it returns a future for is done in its own time: nobody waits. An error in the future is
    our own trouble, or the machine's, and never the job's: it may be asked again.
    """

    # -- the conductor's life -------------------------------------------------------------------

    def services(self) -> Sequence[ChildSpec]:
        """Actors of its own that live beside the conductor's services, each restarted alone."""

    def look(self) -> None:
        """Time for a look at its files and connections: what was removed is made again. Any
        thread."""

    def troubles(self) -> RunnerTroubles:
        """What is ok, or in words what is not. Asks nobody. Any thread."""

    def rooms(self) -> Mapping[str, int]:
        """For how many sheets there is room now, by executor; of the conductor's own machine the
        configuration says it. Any thread."""

    def batch_jobs(self) -> Mapping[str, int]:
        """By executor that makes such: how many sheets that want it have a batch job of their own,
        at one time, beside its ``rooms``. Any thread."""

    def shortage(self, executor: str) -> str:
        """Why there is no more room on this one, in words. Any thread."""

    def describe(self, *, check: bool) -> Future[list[told.Executor]]:
        """Where sheets run, for people; ``check`` has each node that is reached run a program that
        does nothing. Any thread."""

    def cannot_hold(self, executors: Sequence[str]) -> str | None:
        """Why what runs of a job on these cannot be made to stand still; None: it can. Any
        thread."""

    def waits(self, job_id: str) -> Mapping[int, str]:
        """The sheets of a job that were granted and wait for a place, each with the reason. Any
        thread."""

    def summary(self) -> str | None:
        """How it is on the nodes, in words; None: there are none. Any thread."""

    def drain(self, node: str, *, on: bool) -> bool:
        """A node gets no more sheets, or gets some again; False: there is none of that name. Any
        thread."""

    def job_of(self, pid: int) -> str | None:
        """The job whose sheets run below this process of the conductor's machine; None for any
        other. For the monitor."""

    def close(self) -> None:
        """The conductor ends: nothing is held ready any more. Before its actors are stopped."""

    def cut_short(self) -> None:
        """What runs is ended without its grace. Any thread."""

    # -- a job's sheets -------------------------------------------------------------------------

    def runners(self, job_id: str, executors: Sequence[str]) -> Sequence[ChildSpec]:
        """The runners of an admitted job, one for each of these executors, as children of its
        supervisor. The first one's is ``job:<id>/worker``, another's has its name behind that."""

    def prepare(self, row: JobRow, plan: bytes, environment: bytes) -> None:
        """A new job is about to be let in: what its actors need is left in ``context.entries``, and
        what a restart needs to find its runner goes into the row, which is committed after this."""

    def unprepare(self, job_id: str) -> None:
        """Its actors will not come, or what was left holds no more."""

    def end(self, row: JobRow) -> Future[None]:
        """Ends what runs of a job without actors; done when nothing of it runs any more."""

    def finished(self, job_id: str, executor: str | None = None) -> Iterable[dict[str, Any]]:
        """Results of the job that may not be committed yet, as AttemptResult.to_map; those of this
        executor, or of all. In any thread.

        Raises OSError when that cannot be read just now.
        """

    def remove(self, job_ids: Iterable[str]) -> None:
        """The files of these jobs go; a job of such an id that begins meanwhile has new ones."""

    # -- beside them ----------------------------------------------------------------------------

    def command(self, command: SideCommand) -> Future[CommandEnd]:
        """Runs a command, as SideCommand says; done when nothing of it runs. Any thread.

        The future has an OSError or EOFError where it cannot be started just now."""

    def recheck(self, job_id: str, sheets: Sequence[Again]) -> Future[list[dict[str, Any]]]:
        """Makes the checks of these sheets again, without their programs: AttemptResult.to_map of
        each. The future has an OSError or EOFError, or LostError, where that came to nothing."""

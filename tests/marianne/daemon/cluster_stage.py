"""A cluster without processes: its nodes say what the test has them say."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

from marianne.daemon.cluster import nodes as nodes_module
from marianne.daemon.cluster.desk import Desk
from marianne.daemon.cluster.nodes import Nodes
from marianne.daemon.cluster.places import Places
from marianne.daemon.cluster.runner import ClusterRunner
from marianne.daemon.config import DaemonConfig
from marianne.daemon.shared.handoff import Entry
from marianne.daemon.shared.part import Part
from marianne.daemon.shared.start_delays import StartDelays
from marianne.executors.protocol import Run
from marianne.home import Home
from marianne.model.result import AttemptResult
from marianne.state.models import JobRow, JobStatus


class Clock:
    """Time of the nodes' leases, which goes on when the test says so."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


class Ear:
    """An actor's handle: what it was told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, tuple[Any, ...]]] = []

    def tell(self, method: Any, *args: Any) -> None:
        self.told.append((method.__name__, args))

    def take(self, name: str) -> list[tuple[Any, ...]]:
        """What it was told of this name since the last look."""
        found = [args for told, args in self.told if told == name]
        self.told = [one for one in self.told if one[0] != name]
        return found


class Runner(ClusterRunner):
    """Whose timers ring when the test says so."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.timers: list[tuple[float, Any, Any]] = []

    def send_after(self, seconds: float, method: Any, *args: Any, **_named: Any) -> Any:
        self.timers.append((seconds, method, args))

    def ring(self) -> None:
        """All timers, whatever their time."""
        timers, self.timers = self.timers, []
        for _, method, args in timers:
            method(*args)


class Stage:
    """One job, ``a``, on a cluster of nodes with two slots each; ``posts`` are by node."""

    def __init__(self, place: Path, monkeypatch: Any, *, new: bool = True) -> None:
        self.clock = Clock()
        monkeypatch.setattr(nodes_module, "clock", self.clock)
        monkeypatch.setattr("marianne.daemon.cluster.runner.clock", self.clock)
        self.home = Home(place / "home")
        self.shared = place / "shared"
        self.nodes = Nodes(6.0, lambda: 1.0, 2, {})
        self.nodes.engine = None
        self.job = Ear()
        self.posts: dict[str, list[dict[str, Any]]] = {}
        self.woken = 0
        self.context: Any = SimpleNamespace(
            home=self.home,
            config=DaemonConfig(max_concurrent_sheets=4, sheet_grace_seconds=1.0),
            entries={"a": Entry(JobRow("a", "a", JobStatus.RUNNING, "/w", 1.0, 1), b"plan", b"env")}
            if new
            else {},
            start_delays=StartDelays(),
            stop=SimpleNamespace(keeps_workers=True, mode=None),
            job=lambda job_id: self.job,
            trace_seed="seed",
        )
        places = Places(self.home, "0" * 32, self.shared)
        self.desk = Desk("cl", self.nodes, places, Ear())  # type: ignore[arg-type]
        self.desk.post, self.desk.wake = self._post, self._wake
        self.runner = self.begin()

    def begin(self) -> Runner:
        """The runner's first, or next, incarnation."""
        self.runner = Runner(self.context, self.desk, "a", Part("job:a/worker"))
        self.runner.on_start()
        return self.runner

    def _post(self, node: str, messages: Any) -> None:
        self.posts.setdefault(node, []).extend(messages)

    def _wake(self) -> None:
        self.woken += 1

    def up(self, *names: str, jobs: tuple[str, ...] = ()) -> None:
        """These nodes are reached."""
        for name in names:
            self.nodes.up(name, {"cpus": 4}, {"jobs": list(jobs)})
            self.runner.up(name, jobs)
        self.runner.room()

    def down(self, name: str) -> None:
        """It is not reached any more."""
        self.nodes.down(name)
        self.runner.down(name, "cut")

    def sent(self, node: str, kind: str) -> list[dict[str, Any]]:
        """What the job's worker there was sent of this kind, since the last look."""
        found = [one["message"] for one in self.posts.get(node, ()) if one["kind"] == "job"]
        self.posts[node] = []
        return [message for message in found if message["kind"] == kind]

    def given(self, node: str) -> list[tuple[int, int]]:
        """The attempts that it was given since the last look."""
        runs = self.sent(node, "run")
        return [(one["num"], one["attempt"]) for run in runs for one in run["sheets"]]

    def hello(self, node: str, number: int = 0, **says: Any) -> None:
        """What the job's worker there says."""
        empty: dict[str, Any] = {"running": [], "queued": [], "ended": [], "unacked": []}
        self.runner.heard(node, {"kind": "hello", "round": number, **empty, **says})

    def answer(self, node: str, **says: Any) -> None:
        """The same as an answer to the last question."""
        (number,) = {one["round"] for one in self.sent(node, "report")}
        self.hello(node, number, **says)

    def began(self, node: str, *keys: tuple[int, int]) -> None:
        """These attempts began there."""
        started = [[num, attempt, 5.0, []] for num, attempt in keys]
        self.runner.heard(node, {"kind": "results", "results": [], "started": started})

    def ended(self, node: str, *results: dict[str, Any]) -> None:
        """These ended there."""
        self.runner.heard(node, {"kind": "results", "results": list(results), "started": []})

    def told(self) -> list[tuple[int, int, str]]:
        """The results that the job was told since the last look."""
        found = [one for results, _ in self.job.take("results") for one in results]
        return [(one["num"], one["attempt"], one["category"] or one["outcome"]) for one in found]


def run(num: int, attempt: int = 1, *, ahead: bool = False) -> Run:
    """A grant."""
    return Run(num, attempt, ahead=ahead)


def done(num: int, attempt: int = 1, serial: int = 1, **fields: Any) -> dict[str, Any]:
    """A result as a node tells it."""
    outcome = fields.pop("outcome", "completed")
    return AttemptResult(num, attempt, outcome, 5.0, 6.0, serial=serial, **fields).to_map()

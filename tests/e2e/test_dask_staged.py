"""Sheets on a Dask cluster whose nodes do not see the conductor's files: what they need is brought,
what they make comes back, whatever dies meanwhile."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from e2e_marianne import conductor
from test_dask import LEASE, SLOTS, Stage, until

sys.path.insert(0, str(Path(__file__).parents[2] / "scripts" / "chaos_parts"))

from dask_cluster import DaskCluster

pytestmark = pytest.mark.timeout(900)

CONFIG = """
executor: cluster
sheet_grace_seconds: 0.5
executors:
  - name: cluster
    kind: dask
    address: {address}
    lease_seconds: {lease}
    node_directory: {nodes}
"""
HIDDEN = 'mount --make-rprivate / && mount -t tmpfs none "$1" && shift && exec "$@"'


class Apart(DaskCluster):
    """Whose nodes have nothing at ``hidden``: it is the conductor's."""

    def __init__(self, place: Path, nodes: dict[str, int], hidden: Path) -> None:
        super().__init__(place, nodes)
        self.hidden = hidden

    def _start(self, name: str, argv: list[str]) -> subprocess.Popen[bytes]:
        if name == "scheduler":
            return super()._start(name, argv)
        shell = ["unshare", "-m", "bash", "-c", HIDDEN, "bash", str(self.hidden)]
        with open(self.place / f"{name}.log", "ab") as log:
            return subprocess.Popen(
                [*shell, str(Path(sys.executable).with_name("dask")), *argv],
                stdout=log,
                stderr=log,
                cwd=self.place,
                start_new_session=True,
            )


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    if subprocess.run(["unshare", "-m", "true"], check=False, capture_output=True).returncode:
        pytest.skip("no namespaces of mounts here: the nodes could see what they must not need")
    place = tmp_path_factory.mktemp("conductor")
    with Apart(tmp_path_factory.mktemp("nodes"), SLOTS, place) as cluster:
        config = CONFIG.format(address=cluster.address, lease=LEASE, nodes=cluster.directory)
        with conductor(place, config) as marianne:
            made = Stage(cluster, marianne)
            made.ready()
            yield made


def work(stage: Stage, job: str) -> Path:
    """Where the job's first sheet works, on whichever node."""

    def found() -> Path | None:
        return next(iter(stage.cluster.directory.glob(f"**/jobs/{job}/work/1.*")), None)

    return Path(until(found))


PIPELINE = """
sheets:
  - name: fetch
    run: mkdir -p in; for n in a b c; do echo $n > in/$n; done; ls -A
    outputs: [in/]
  - name: each
    needs: [fetch]
    each: {glob: "in/*"}
    inputs: ["{{ item }}"]
    run: mkdir -p out; tr a-c A-C < {{ item | q }} > out/$(basename {{ item | q }})
    outputs: [out/]
    validate: [{command_succeeds: test -s out/*}]
  - name: report
    needs: [each]
    inputs: [out]
    outputs: [report.txt]
    run: cat out/* | tee report.txt
"""


def test_a_pipeline_runs_on_nodes_that_see_nothing_of_the_conductors(stage: Stage) -> None:
    job = stage.marianne.play("pipeline", PIPELINE)
    ws = stage.marianne.place / "pipeline"
    assert (ws / "report.txt").read_text() == "A\nB\nC\n"
    assert stage.marianne("output", job, "1").out == "in\n"
    assert stage.marianne("output", job, "3").out == "A\nB\nC\n"
    assert sorted(path.name for path in ws.iterdir() if path.name[0] != ".") == [
        *("in", "out", "report.txt")
    ]
    until(lambda: not list(stage.cluster.directory.glob(f"**/jobs/{job}")))
    again = stage.marianne.submit("pipeline", PIPELINE)
    stage.marianne.wait(again)
    assert stage.marianne.sheet(again, 3)["status"] == "skipped"  # up to date


WAITS = """
sheets:
  - name: waits
    inputs: [given]
    outputs: [made/]
    run: |
      echo "start $MARIANNE_ATTEMPT"
      until test -e go; do sleep 0.05; done
      mkdir -p made; cat given > made/$MARIANNE_ATTEMPT; head -c 3000000 /dev/urandom > made/big
      echo "end $MARIANNE_ATTEMPT"
"""


def begun(stage: Stage, name: str) -> str:
    ws = stage.marianne.place / name
    ws.mkdir()
    (ws / "given").write_text("given\n")
    job = stage.marianne.submit(name, WAITS)
    until(lambda: "start 1" in stage.marianne("output", job, "1", code=None).out)
    return job


def ended(stage: Stage, name: str, job: str) -> None:
    """It ran once, and all that it made is there."""
    assert stage.marianne.wait(job)["status"] == "completed"
    assert stage.marianne("output", job, "1").out == "start 1\nend 1\n"
    made = stage.marianne.place / name / "made"
    assert (made / "1").read_text() == "given\n"
    assert (made / "big").stat().st_size == 3_000_000
    assert not list(made.parent.glob(".marianne-staging"))


def test_output_is_read_while_it_runs_and_a_new_bridge_brings_the_rest(stage: Stage) -> None:
    stage.ready()
    job = begun(stage, "bridged")
    os.kill(stage.bridge(), signal.SIGKILL)
    (work(stage, job) / "go").touch()
    ended(stage, "bridged", job)


def test_a_conductor_that_dies_finds_what_was_finished_meanwhile(stage: Stage) -> None:
    stage.ready()
    job = begun(stage, "conducted")
    os.kill(stage.marianne.pids()["conductor"], signal.SIGKILL)
    (work(stage, job) / "go").touch()
    ended(stage, "conducted", job)


def test_a_warden_that_dies_has_its_sheet_run_again_and_leaves_nothing(stage: Stage) -> None:
    stage.ready()
    job = begun(stage, "wardened")
    node = work(stage, job).parts[len(stage.cluster.directory.parts) + 1]
    name = next(name for name in SLOTS if node.endswith(name))
    os.kill(int(until(lambda: stage.cluster.warden(name))), signal.SIGKILL)
    until(lambda: "start 2" in stage.marianne("output", job, "1", code=None).out)
    (next(stage.cluster.directory.glob(f"**/jobs/{job}/work/1.2")) / "go").touch()
    assert stage.marianne.wait(job)["status"] == "completed"
    made = stage.marianne.place / "wardened" / "made"
    assert sorted(path.name for path in made.iterdir()) == ["2", "big"]
    until(lambda: not list(stage.cluster.directory.glob(f"**/jobs/{job}")))


def test_a_sheet_that_does_not_say_its_files_is_refused_with_what_to_do(stage: Stage) -> None:
    place = stage.marianne.place / "undeclared.yaml"
    place.write_text("name: undeclared\nsheets:\n  - {name: one, run: 'true'}\n")
    for verb in ("validate", "run"):
        said = stage.marianne(verb, str(place), code=2).err
        assert "executor cluster, which shares no directory with the conductor" in said
        assert "outputs: [] if it makes none" in said
    place.write_text("name: undeclared\nsheets:\n  - {name: one, run: 'true', outputs: []}\n")
    stage.marianne("run", str(place), "--wait")

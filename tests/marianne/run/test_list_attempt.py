"""A worker makes a list, tells it with the result, and runs its sheets once it is told of them."""

from __future__ import annotations

import os
from dataclasses import replace

import msgpack
import pytest
from run_conductor import Conductor

from marianne.model.plan import ListSource, Plan
from marianne.run.spool import read_spool
from marianne.score.pack import pack_plan

pytestmark = pytest.mark.slow


def start(conductor: Conductor, kind: str, text: str, *, script: bool = False) -> None:
    """A worker of a job whose one sheet makes a list."""
    each = replace(conductor.sheet(1, "echo {{ item }} > made"), needs=(1,), item="⟨item⟩")
    sheet = conductor.sheet(1, text)
    sheet = replace(sheet, prompt=replace(sheet.prompt, script=script))
    lists = {1: ListSource(kind, each, 3)}
    plan = Plan("test", str(conductor.workspace), (sheet,), total_stages=1, lists=lists)
    conductor.workspace.mkdir(exist_ok=True)
    (conductor.job_dir / "env").write_bytes(msgpack.packb({"PATH": os.environ["PATH"]}))
    (conductor.job_dir / "plan").write_bytes(pack_plan(plan))
    conductor.start_again()
    conductor.hello()


def test_a_list_whose_output_is_gone_fails_and_does_not_wait_for_it(conductor: Conductor) -> None:
    start(conductor, "command", 'rm "$(readlink /proc/$$/fd/1)"', script=True)
    conductor.run(1)
    result = conductor.result()
    assert (result["outcome"], result["category"]) == ("failed", "list")


def test_a_list_goes_with_the_result_and_is_in_the_spool(conductor: Conductor) -> None:
    conductor.acking = False
    start(conductor, "command", "echo a; echo 'b c'", script=True)
    conductor.run(1)
    result = conductor.result()
    assert (result["outcome"], result["exit_code"]) == ("completed", 0)
    assert result["listed"] == {"items": ["a", "b c"], "prefix": ""}
    (spooled,) = read_spool(str(conductor.job_dir / "spool"))
    assert spooled["listed"] == result["listed"]


def test_a_pattern_is_matched_in_the_workspace_by_a_program_of_its_own(
    conductor: Conductor,
) -> None:
    start(conductor, "glob", "in/*.{{ 'csv' }}")
    (conductor.workspace / "in").mkdir()
    for name in ("b.csv", "a.csv", "c.txt"):
        (conductor.workspace / "in" / name).touch()
    conductor.run(1)
    assert conductor.result()["listed"] == {"items": ["in/a.csv", "in/b.csv"], "prefix": "in/"}


@pytest.mark.parametrize(
    ("kind", "text", "said"),
    [
        ("command", "seq 4", "the list has 4 items; max_items allows 3"),
        ("command", "echo a; exit 3", "Exit code 3 from `exit 3`"),
        ("json", "none.json", "Exit code 1: none.json: No such file or directory"),
    ],
)
def test_a_list_that_cannot_be_made_fails_its_sheet(
    conductor: Conductor, kind: str, text: str, said: str
) -> None:
    start(conductor, kind, text, script=kind == "command")
    conductor.run(1)
    result = conductor.result()
    assert (result["outcome"], result["listed"]) == ("failed", None)
    assert said.partition(" from")[0] in result["message"]


def test_a_sheet_of_a_list_runs_when_the_worker_knows_it(conductor: Conductor) -> None:
    start(conductor, "command", "echo a", script=True)
    conductor.run(1)
    conductor.result()
    hellos = len(conductor.of("hello"))
    conductor.run(2)  # what told of it was lost with a connection
    conductor.until(lambda: len(conductor.of("hello")) > hellos)
    assert (2, 1) not in conductor.results
    for _ in range(2):
        conductor.send(kind="grow", source=1, first=2, items=["a"], names=["s1[a]"])
    conductor.run(2)
    assert conductor.result(2)["outcome"] == "completed"
    assert (conductor.workspace / "made").read_text() == "a\n"

"""Only what bash says of a sheet's script is renamed, and the plan is asked only for that."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from marianne.daemon.views.script_names import readable
from marianne.model.plan import Instrument, Plan, Prompt, SheetPlan

PLAN = Plan(
    "x",
    "/w",
    (SheetPlan(1, "a", 1, Instrument("shell"), Prompt("a", script=True, line=3)),),
    total_stages=1,
    score_path="/s/x.yaml",
)


def test_each_place_in_the_script_is_one_of_the_score(tmp_path: Path) -> None:
    prompt = tmp_path / "1.1.prompt"
    prompt.write_text("a")
    said = f"{prompt}: line 1: a: gone\n{prompt}: other\n{prompt}: eval: line 1: b\n".encode()
    expected = f"x.yaml:3: a: gone\n{prompt}: other\nx.yaml:3: b\n".encode()
    assert readable(said, prompt, 1, lambda: PLAN) == expected


def test_where_bash_says_nothing_the_plan_is_not_asked(tmp_path: Path) -> None:
    def plan() -> Plan:
        pytest.fail("it costs")

    assert readable(b"line 1: a\n", tmp_path / "1.1.prompt", 1, plan) == b"line 1: a\n"


@pytest.mark.timeout(30)
def test_a_pipe_where_the_script_should_be_is_not_waited_for(tmp_path: Path) -> None:
    prompt = tmp_path / "1.1.prompt"
    os.mkfifo(prompt)
    said = f"{prompt}: line 1: a\n".encode()
    assert readable(said, prompt, 1, lambda: PLAN) == said

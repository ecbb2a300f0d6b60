"""Where a sheet runs: what it says itself, then its instrument, then who asked, then the score."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from scorekit import load, problems, reference

from marianne.instruments.registry import Registry
from marianne.model.placement import bound, executor_of, executors_of
from marianne.score.check_executors import Known

KNOWN = Known(("local", "gpu", "hpc"))

SCORE = """
name: x
executor: gpu
sheets:
  - name: here
    executor: local
    run: "true"
  - name: there
    run: "true"
  - name: many
    needs: [there]
    each: [a, b]
    run: "true"
  - name: listed
    needs: [here]
    executor: local
    each: {glob: "*"}
    run: "true"
"""


def test_a_sheet_goes_before_the_score_and_that_before_the_conductor() -> None:
    plan = load(SCORE, executors=KNOWN)
    found = {sheet.name: executor_of(plan, sheet) for sheet in plan.written}
    assert found["here"] == "local"
    assert found["there"] == found["many-1"] == found["many-2"] == "gpu"
    assert found["listed"] == "local"
    assert executors_of(plan) == ("local", "gpu")
    unsaid = SCORE.replace("executor: gpu\n", "")
    silent = load(unsaid, executors=Known(("hpc", "local")))
    assert executor_of(silent, silent.sheets[1]) == "hpc"


def test_who_asks_goes_before_the_score_and_not_before_its_sheets() -> None:
    plan = load(SCORE, executors=KNOWN._replace(asked="hpc"))
    assert [executor_of(plan, sheet) for sheet in plan.sheets[:2]] == ["local", "hpc"]


def test_an_instrument_says_where_its_sheets_run_each_fallback_for_itself(tmp_path: Path) -> None:
    for name, where in (("far", "executor: hpc"), ("near", "")):
        text = f"name: {name}\n{where}\ncli: {{command: {{executable: cat}}}}\n"
        (tmp_path / f"{name}.yaml").write_text(text)
    text = """
    name: x
    sheets:
      - {name: a, prompt: hi, instrument: far, fallbacks: [near]}
      - {name: b, prompt: hi, instrument: far, executor: local}
    """
    plan = load(text, executors=KNOWN, instruments=Registry.load(tmp_path))
    first, second = plan.sheets
    assert [executor_of(plan, first, index) for index in (0, 1)] == ["hpc", "local"]
    assert executor_of(plan, second) == "local"
    other = text.replace("far, fallbacks: [near]", "near, fallbacks: [far]")
    known = Known(("local", "hpc"))
    staged = {"executors": known, "instruments": Registry.load(tmp_path), "staged": ("hpc",)}
    (refused,) = problems(other, **staged)
    assert "sheet 'a' runs on executor hpc, which shares no directory" in refused


def test_a_plan_of_a_version_that_knew_one_executor_is_bound_to_the_conductors() -> None:
    old = replace(load(SCORE.replace("executor: gpu\n", "")), executor=None)
    assert executor_of(bound(old, "hpc"), old.sheets[1]) == "hpc"
    new = load(SCORE, executors=KNOWN)
    assert bound(new, "hpc") is new


def test_an_executor_that_there_is_none_of_is_refused_where_it_is_named() -> None:
    assert problems(SCORE, executors=Known(("local", "hpc"))) == [
        "3:11: executor: no executor is called 'gpu'; 'executors' of conductor.yaml has hpc"
    ]
    text = SCORE.replace("executor: local", "executor: gpo", 1)
    assert problems(text, executors=Known(("local", "gpu"))) == [
        "6:15: sheets[0].executor: no executor is called 'gpo'; did you mean 'gpu'?"
    ]
    text = reference("{size: 1, total_items: 3}", "executor: gpu")
    assert problems(text, executors=Known(("local",))) == [
        "5:11: executor: no executor is called 'gpu'; conductor.yaml has none beside local:"
        " describe it there, in 'executors'"
    ]
    (asked,) = problems("name: x\nsheets: [{name: a, run: x}]", executors=Known(("local",), "gpu"))
    assert "--executor: no executor is called 'gpu'" in asked


def test_a_job_has_one_cluster_and_the_conductors_machine_beside_it() -> None:
    text = SCORE.replace("executor: local", "executor: hpc", 1)
    (found,) = problems(text, executors=KNOWN)
    assert "the job has sheets on gpu and on hpc" in found


@pytest.mark.parametrize("where", ["gpu", "local"])
def test_what_the_conductors_machine_has_is_asked_of_sheets_that_run_there(where: str) -> None:
    from marianne.score.supply import Supply

    text = f"""
    name: x
    executor: {where}
    sheets:
      - {{name: a, run: "true", resources: {{gpus: 2}}}}
    """
    if where == "local":
        assert len(problems(text, executors=KNOWN, supply=Supply(0, 100))) == 1
    else:
        assert load(text, executors=KNOWN, supply=Supply(0, 100)).sheets[0].gpus == 2

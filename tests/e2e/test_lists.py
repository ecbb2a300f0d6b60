"""Lists that are made when their sheet runs: each item is a sheet, done once whatever dies."""

from __future__ import annotations

import json
import os
import signal
from collections import Counter
from typing import Any

import pytest
from e2e_marianne import Marianne, until

CONVERT = """sheets:
  - name: fetch
    run: mkdir in; for n in {1..%d}; do touch "in/$n.csv"; done
  - name: convert
    needs: [fetch]
    each: {glob: "in/*.csv"}
    run: echo {{ item | q }} >> done
  - name: report
    needs: [convert]
    run: wc -l < done > lines
"""


@pytest.fixture
def marianne(shared: Marianne) -> Marianne:
    return shared


def done(marianne: Marianne, job: str, file: str = "done") -> list[str]:
    path = marianne.place / job / file
    return path.read_text().splitlines() if path.exists() else []


def test_200_files_are_200_sheets_by_their_names(marianne: Marianne) -> None:
    job = marianne.play("many", CONVERT % 200)
    names = [sheet["name"] for sheet in marianne.status(job)["sheets"]]
    assert names[:3] == ["fetch", "convert", "report"]
    assert names[3:] == sorted(f"convert[{n}.csv]" for n in range(1, 201))
    assert sorted(done(marianne, "many")) == sorted(f"in/{n}.csv" for n in range(1, 201))
    assert done(marianne, "many", "lines") == ["200"]
    shown = marianne("status", job).out
    assert "203" in shown
    assert marianne("output", job, "convert[7.csv]", code=None).code == 0
    listed = [e for e in _events(marianne, job) if e["event"] == "sheet.listed"]
    assert [(e["sheet_num"], e["data"]["items"], e["data"]["added"]) for e in listed] == [
        (2, 200, 200)
    ]


def test_no_items_and_too_many(marianne: Marianne) -> None:
    job = marianne.play("none", CONVERT.replace("in/*.csv", "none/*.csv") % 1, code=1)
    sheets = marianne.status(job)["sheets"]
    assert [s["status"] for s in sheets] == ["completed", "skipped", "failed"]  # no file done
    assert sheets[1]["error"]["message"] == "no items"
    limited = CONVERT.replace('"in/*.csv"', '"in/*.csv", max_items: 3') % 4
    job = marianne.play("limited", limited, code=1)
    sheets = marianne.status(job)["sheets"]
    assert [s["status"] for s in sheets] == ["completed", "failed", "skipped"]
    assert "more than 3 names match 'in/*.csv'" in sheets[1]["error"]["message"]
    twice = "sheets: [{name: a, each: {command: 'echo x; echo x'}, run: 'true'}]"
    job = marianne.play("twice", twice, code=1)
    assert "'x' stands twice" in marianne.sheet(job, 1)["error"]["message"]


def test_a_list_that_is_made_again_runs_what_is_new(marianne: Marianne) -> None:
    job = marianne.play("again", CONVERT % 3)
    (marianne.place / "again" / "in" / "4.csv").touch()
    (marianne.place / "again" / "in" / "1.csv").unlink()
    marianne("retry", job, "convert")
    marianne.wait(job)
    assert sorted(done(marianne, "again")) == [f"in/{n}.csv" for n in (1, 2, 3, 4)]
    assert done(marianne, "again", "lines") == ["4"]
    marianne("retry", job, "convert[2.csv]")
    marianne.wait(job)
    assert Counter(done(marianne, "again"))["in/2.csv"] == 2
    assert marianne.sheet(job, 7)["name"] == "convert[4.csv]"


def test_a_list_of_json_and_one_of_what_a_list_has_made(marianne: Marianne) -> None:
    text = """sheets:
  - name: plan
    run: echo '["a", 2]' > plan.json
  - name: step
    needs: [plan]
    each: {json: plan.json}
    run: touch "made-{{ item }}"
  - name: look
    needs: [step]
    each: {command: "ls made-*"}
    run: echo {{ item | q }} >> done
"""
    job = marianne.play("nested", text)
    names = [sheet["name"] for sheet in marianne.status(job)["sheets"]]
    assert names[3:] == ["step[a]", "step[2]", "look[made-2]", "look[made-a]"]
    assert sorted(done(marianne, "nested")) == ["made-2", "made-a"]


def test_a_new_score_keeps_what_a_list_has_done(marianne: Marianne) -> None:
    text = CONVERT.replace("run: echo", "run: test {{ instance }} = 1; echo") % 2
    job = marianne.play("modified", text, code=1)
    newer = marianne.score("newer", CONVERT % 2)
    marianne("modify", job, "--config", newer, "--workspace", str(marianne.place / "modified"))
    marianne.wait(job)
    assert sorted(done(marianne, "modified")) == ["in/1.csv", "in/2.csv"]
    more = marianne.score("more", (CONVERT % 2) + "  - {name: more, run: 'true'}\n")
    refused = marianne("modify", job, "--config", more, code=5)
    assert refused.code == 5


SHRUNK = """sheets:
  - name: one
    run: "true"
  - name: list
    needs: [one]
    each: {command: seq 3}
    run: echo {{ item }} >> done
"""


def test_a_list_of_a_new_score_uses_no_number_of_an_attempt_again(marianne: Marianne) -> None:
    """What it makes may have numbers that the first score's sheets had, and those attempts."""
    before = "sheets:\n  - name: one\n    run: 'true'\n" + "".join(
        f"  - {{name: {name}, run: 'exit 7'}}\n" for name in ("two", "three", "four")
    )
    job = marianne.play("shrunk", before, code=1)
    newer = marianne.score("newer-shrunk", SHRUNK)
    marianne("modify", job, "--config", newer, "--workspace", str(marianne.place / "shrunk"))
    assert marianne.wait(job)["status"] == "completed"
    assert sorted(done(marianne, "shrunk")) == ["1", "2", "3"]
    tries = {sheet["num"]: sheet["attempt"] for sheet in marianne.status(job)["sheets"]}
    assert tries == {1: 1, 2: 2, 3: 2, 4: 2, 5: 1}


# -- deaths -------------------------------------------------------------------------------------

# Each making of the list gives another one, and is written down.
CHANGING = """sheets:
  - name: list
    each:
      command: |
        echo x >> made
        until test -e go; do sleep 0.02; done
        number=$(wc -l < made)
        for n in 1 2 3; do echo "$number.$n"; done
    run: echo {{ item }} >> done
  - name: report
    needs: [list]
    run: wc -l < done > lines
"""


def makings_over_a_death(ordered: Marianne, point: str, name: str) -> int:
    """How often the list of a job was made, over a death at that point; one of them counts."""
    job = ordered.submit(name, CHANGING)
    until(lambda: done(ordered, name, "made") and ordered.sheet(job, 1)["status"] == "running")
    (ordered.place / "points" / point).touch()
    (ordered.place / name / "go").touch()
    until((ordered.place / "points" / f"{point}.hit").exists)
    (ordered.place / "points" / f"{point}.hit").unlink()
    until(ordered.serves)
    ordered.wait(job)
    made = len(done(ordered, name, "made"))
    assert sorted(done(ordered, name)) == [f"{made}.{n}" for n in (1, 2, 3)]
    sheets = ordered.status(job)["sheets"]
    assert [s["name"] for s in sheets[2:]] == [f"list[{made}.{n}]" for n in (1, 2, 3)]
    assert {s["status"] for s in sheets} == {"completed"}
    assert sheets[0]["attempt"] == made
    return made


@pytest.mark.parametrize(
    "point", ["spool.after-write", "store.before-commit", "store.after-commit"]
)
def test_over_a_death_at_each_step_there_is_one_list(ordered: Marianne, point: str) -> None:
    """Of the worker when the list is in its spool, of the conductor before and after the plan has
    grown."""
    assert makings_over_a_death(ordered, point, point.replace(".", "-")) == 1


def test_a_list_that_died_with_its_worker_is_made_again(ordered: Marianne) -> None:
    # A spare worker that rehearses just then takes the order for itself.
    names = (f"unwritten-{n}" for n in range(20))
    until(lambda: makings_over_a_death(ordered, "spool.before-write", next(names)) == 2)


@pytest.mark.timeout(150)
def test_kills_in_the_middle_of_200_sheets_of_a_list_do_each_once(mortal: Marianne) -> None:
    text = "parallel: {max_concurrent: 8}\n" + CONVERT.replace("run: echo", "run: sleep 0.05; echo")
    job = mortal.submit("killed-list", text % 200)
    for after in (5, 80):
        until(lambda after=after: len(done(mortal, "killed-list")) >= after)
        _kill(mortal)
    mortal.wait(job)
    counted = Counter(done(mortal, "killed-list"))
    assert counted == {f"in/{n}.csv": 1 for n in range(1, 201)}
    assert done(mortal, "killed-list", "lines") == ["200"]


def test_actors_that_crash_beside_a_list_lose_none_of_its_sheets(mortal: Marianne) -> None:
    text = "parallel: {max_concurrent: 4}\n" + CONVERT.replace(
        "run: echo", "run: sleep 0.05; echo"
    ).replace('{glob: "in/*.csv"}', '{command: "sleep 0.5; ls in"}')
    job = mortal.submit("crashed-list", text % 60)
    until(lambda: mortal.sheet(job, 2)["status"] == "running")
    mortal.crash(f"job:{job}/worker")
    until(lambda: len(done(mortal, "crashed-list")) >= 3)
    mortal.crash(f"job:{job}/job")
    until(lambda: len(done(mortal, "crashed-list")) >= 20)
    mortal.crash("scheduler")
    mortal.wait(job)
    assert Counter(done(mortal, "crashed-list")) == {f"{n}.csv": 1 for n in range(1, 61)}


def _kill(marianne: Marianne) -> None:
    old = marianne.pids()["conductor"]
    os.kill(old, signal.SIGKILL)
    until(lambda: marianne.pids()["conductor"] != old and marianne.serves())


def _events(marianne: Marianne, job: str) -> list[dict[str, Any]]:
    lines = marianne("events", job, "--json").out.splitlines()
    return [json.loads(line) for line in lines]

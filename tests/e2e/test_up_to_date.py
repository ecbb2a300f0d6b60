"""Another run of a score runs exactly what a change concerns, also after a kill in the middle."""

from __future__ import annotations

import os
import signal

import pytest
from e2e_marianne import Marianne, until

SCORE = """sheets:
  - {name: list, outputs: [names], run: 'echo list >> ran; (cd in; ls) > names'}
  - name: convert
    needs: [list]
    each: [a, b, c]
    inputs: ['in/{{ item }}.csv']
    outputs: ['made/{{ item }}.txt']
    run: |
      echo {{ item }} >> ran
      mkdir -p made
      until [ -e go ]; do sleep 0.05; done
      tr a-z A-Z < in/{{ item }}.csv > made/{{ item }}.txt
  - name: pack
    needs: [convert]
    inputs: [made]
    outputs: [all.txt]
    run: echo pack >> ran; cat made/*.txt > all.txt
"""


@pytest.fixture
def marianne(mortal: Marianne) -> Marianne:
    return mortal


def _again(
    marianne: Marianne, name: str, score: str = SCORE
) -> tuple[dict[str, object], list[str]]:
    """Another run, and what it ran."""
    ran = marianne.place / name / "ran"
    ran.unlink(missing_ok=True)
    job = marianne.play(name, score)
    return marianne.status(job), sorted(ran.read_text().split()) if ran.exists() else []


def test_exactly_what_an_input_concerns_runs_again(marianne: Marianne) -> None:
    place = marianne.place / "pages"
    (place / "in").mkdir(parents=True)
    for name in "abc":
        (place / "in" / f"{name}.csv").write_text(f"{name}1\n")
    job = marianne.submit("pages", SCORE)
    until(lambda: (place / "ran").exists() and len((place / "ran").read_text().split()) == 4)
    os.kill(marianne.pids()["conductor"], signal.SIGKILL)
    (place / "go").touch()
    until(marianne.serves)
    marianne.wait(job)
    status, ran = _again(marianne, "pages")
    assert ran == []
    assert {s["error"]["message"] for s in status["sheets"]} == {  # type: ignore[index,attr-defined]
        "up to date: its inputs and outputs are as they were when it completed"
    }
    explained = marianne.request("job.explain", {"job_id": status["job_id"], "sheet": 3})
    assert "up to date" in explained["sheets"][0]["text"]
    (place / "in" / "b.csv").write_text("b2\n")
    assert _again(marianne, "pages")[1] == ["b", "pack"]
    assert (place / "all.txt").read_text() == "A1\nB2\nC1\n"
    (place / "made" / "c.txt").unlink()
    assert _again(marianne, "pages")[1] == ["c"], "what it makes is the same again: pack stays"
    (place / "ran").unlink()
    marianne("run", marianne.score("pages", SCORE), "--fresh", "--wait")
    assert len((place / "ran").read_text().split()) == 5, "who wants it fresh gets all of it"


def test_what_is_declared_and_not_made_fails_its_sheet(marianne: Marianne) -> None:
    score = "sheets: [{name: a, outputs: [there, 'gone/*'], run: touch there}]\n"
    job = marianne.play("forgets", score, code=1)
    sheet = marianne.sheet(job, 1)
    assert sheet["error"]["category"] == "validation"
    assert sheet["error"]["message"] == "outputs: gone/* was not made"


LISTED = """sheets:
  - name: convert
    each: {glob: 'in/*.csv'}
    inputs: ['{{ item }}']
    outputs: ['{{ item }}.out']
    run: |
      basename {{ item }} .csv >> ran
      sleep 0.05
      tr a-z A-Z < {{ item }} > {{ item }}.out
  - name: pack
    needs: [convert]
    outputs: [all.txt]
    run: echo pack >> ran; cat in/*.out > all.txt
"""


def test_of_a_list_that_is_made_in_the_run_exactly_what_changed_runs_again(
    marianne: Marianne,
) -> None:
    place = marianne.place / "listed"
    (place / "in").mkdir(parents=True)
    names = [f"f{number:02}" for number in range(30)]
    for name in names:
        (place / "in" / f"{name}.csv").write_text(f"{name}\n")
    job = marianne.submit("listed", LISTED)
    until(lambda: (place / "ran").exists() and len((place / "ran").read_text().split()) > 5)
    os.kill(marianne.pids()["conductor"], signal.SIGKILL)
    until(marianne.serves)
    marianne.wait(job)
    assert sorted((place / "ran").read_text().split()) == [*names, "pack"], "each ran once"
    assert _again(marianne, "listed", LISTED)[1] == []
    (place / "in" / "f07.csv").write_text("changed\n")
    assert _again(marianne, "listed", LISTED)[1] == ["f07", "pack"]
    (place / "in" / "new.csv").write_text("new\n")
    assert _again(marianne, "listed", LISTED)[1] == ["new", "pack"]
    assert "CHANGED" in (place / "all.txt").read_text()
    assert (place / "all.txt").read_text().endswith("NEW\n")

"""A night's pipeline: a list of files, thirty steps, a death in the middle, then one change.

`MARIANNE_PIPELINE_FILES=200 pytest tests/e2e/test_pipeline.py` has as many as a night may have.
"""

from __future__ import annotations

import os
import signal
from collections import Counter
from pathlib import Path

import pytest
from e2e_marianne import Marianne, until

FILES = int(os.environ.get("MARIANNE_PIPELINE_FILES", "12"))
MAIN, SIDE = 17, 9
"""Steps in a row that depend on every file, and steps that depend on none."""

HEAD = """
sheets:
  - name: convert
    each: {glob: "../in/*.txt"}
    inputs: ["{{ item }}"]
    outputs: ["up/{{ item.split('/')[-1] }}"]
    run: |
      echo "convert {{ item }}" >> ../witness
      mkdir -p up; tr a-z A-Z < {{ item | q }} > up/{{ item.split('/')[-1] }}
  - name: join
    needs: [convert]
    inputs: [up]
    outputs: [all.txt]
    run: echo join >> ../witness; cat up/* > all.txt
  - name: count
    needs: [join]
    inputs: [all.txt]
    outputs: [count.txt]
    run: echo count >> ../witness; wc -l < all.txt > count.txt
  - name: report
    needs: [count]
    inputs: [count.txt]
    outputs: [report.txt]
    run: echo report >> ../witness; echo "lines $(cat count.txt)" > report.txt
"""


def _row(name: str, length: int, first: str, needs: str | None) -> str:
    """Steps in a row, each making a file of the one before it."""
    text = ""
    for num in range(1, length + 1):
        source = first if num == 1 else f"{name}{num - 1}.txt"
        before = needs if num == 1 else f"{name}{num - 1}"
        text += f"  - name: {name}{num}\n"
        text += f"    needs: [{before}]\n" if before else ""
        text += f"    inputs: [{source}]\n    outputs: [{name}{num}.txt]\n"
        text += f"    run: echo {name}{num} >> ../witness; cat {source} > {name}{num}.txt\n"
    return text


@pytest.fixture
def witness(marianne: Marianne) -> Path:
    (marianne.place / "in").mkdir()
    for num in range(FILES):
        (marianne.place / "in" / f"f{num:03}.txt").write_text(f"file {num}\n")
    (marianne.place / "side.txt").write_text("side\n")
    path = marianne.place / "witness"
    path.touch()
    return path


@pytest.mark.timeout(600)
def test_after_a_death_and_a_change_exactly_the_affected_sheets_run(
    marianne: Marianne, witness: Path
) -> None:
    rows = _row("main", MAIN, "all.txt", "join") + _row("side", SIDE, "../side.txt", None)
    score = marianne.score("night", HEAD + rows)
    marianne("run", score)
    until(lambda: len(witness.read_text().splitlines()) > FILES // 4)
    os.kill(marianne.pids()["conductor"], signal.SIGKILL)
    marianne("wait", "night", timeout=300)
    steps = [f"main{n}" for n in range(1, MAIN + 1)] + [f"side{n}" for n in range(1, SIDE + 1)]
    items = [f"convert ../in/f{num:03}.txt" for num in range(FILES)]
    every = Counter([*items, "join", "count", "report", *steps])
    assert len(steps) + 4 == 30
    assert Counter(witness.read_text().splitlines()) == every
    witness.write_text("")
    changed = marianne.place / "in" / "f007.txt"
    changed.write_text("another\n")
    marianne("run", score, "--wait", timeout=300)
    # As many lines as before: what only counts them is what it was, and so is what follows it.
    affected = [
        "convert ../in/f007.txt",
        "join",
        "count",
        *(f"main{n}" for n in range(1, MAIN + 1)),
    ]
    assert Counter(witness.read_text().splitlines()) == Counter(affected)
    assert "ANOTHER\n" in (marianne.place / "night" / f"main{MAIN}.txt").read_text()

"""What sheets take of memory and graphics processors: waited for, explained, refused."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from e2e_marianne import Marianne, until

HAS = "gpus: 1\nlabels: [ssd]\nresource_limits: {max_memory_mb: 512}\n"
WAIT = "until test -e go; do sleep 0.02; done"
TAKES = f"""
sheets:
  - {{name: card, run: '{WAIT}', resources: {{gpus: 1, labels: [ssd]}}}}
  - {{name: next, run: '{WAIT}', resources: {{gpus: 1}}}}
  - {{name: large, run: '{WAIT}', resources: {{memory_mb: 400}}}}
  - {{name: other, run: '{WAIT}', resources: {{memory_mb: 200}}}}
  - {{name: plain, run: "true"}}
"""


@pytest.fixture
def marianne(configured: Callable[[str], Marianne]) -> Marianne:
    return configured(HAS)


def why(marianne: Marianne, job: str) -> dict[str, str]:
    sheets = marianne("explain", job, "--json").json["sheets"]
    return {sheet["name"]: sheet["text"] for sheet in sheets}


def test_a_sheet_waits_for_what_it_takes_and_nobody_else_waits_for_it(marianne: Marianne) -> None:
    job = marianne.submit("takes", TAKES)
    until(lambda: marianne.sheet(job, 5)["status"] == "completed")
    until(lambda: marianne.status(job)["progress"]["running"] == 2)
    waits = {
        "next": "it takes 1 gpu, and 0 of 1 are free",
        "other": "it takes 200 MB of memory, and 112 of 512 are free",
    }
    assert why(marianne, job) == waits
    marianne("restart")
    until(lambda: why(marianne, job) == waits)
    (marianne.place / "takes" / "go").touch()
    assert marianne.wait(job)["status"] == "completed"


def test_what_is_set_in_a_reload_holds_for_what_waits(marianne: Marianne) -> None:
    job = marianne.submit("takes", TAKES)
    until(lambda: marianne.status(job)["progress"]["running"] == 2)
    marianne.configure(HAS.replace("gpus: 1", "gpus: 2"))
    until(lambda: marianne.status(job)["progress"]["running"] == 3)
    (marianne.place / "takes" / "go").touch()
    assert marianne.wait(job)["status"] == "completed"


def test_what_takes_more_than_there_is_is_refused_by_words(marianne: Marianne) -> None:
    score = marianne.score("much", 'resources: {gpus: 2}\nsheets: [{name: a, run: "true"}]\n')
    words = "resources.gpus: takes 2 gpus, and the conductor has 1"
    for command in (("validate",), ("run", "--dry-run"), ("run",), ("run", "--local")):
        done = marianne(*command, score, code=2)
        assert words in done.err, command
    assert str(marianne.place) not in marianne("list", "--all", "--json").out
    marianne.configure(HAS.replace("gpus: 1", "gpus: 2"))
    assert marianne.wait(marianne("run", score, "--json").json["job_id"])["status"] == "completed"

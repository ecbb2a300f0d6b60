"""A sheet that asks for more than the conductor has is refused where it says so."""

from __future__ import annotations

from scorekit import load, problems, reference

from marianne.score.supply import Supply

SMALL = Supply(1, 1000, ("ssd", "big"))

SCORE = """
name: x
resources: {memory_mb: 500}
sheets:
  - name: fits
    run: "true"
    cpus: 1000
    resources: {gpus: 1, labels: [ssd]}
  - name: large
    run: "true"
    resources: {memory_mb: 2000}
  - name: card
    run: "true"
    resources:
      gpus: 2
  - name: far
    run: "true"
    resources: {labels: [ssd, tape]}
"""


def test_each_is_told_at_its_place_with_what_to_do() -> None:
    assert problems(SCORE, supply=SMALL) == [
        "11:28: sheets[1].resources.memory_mb: takes 2,000 MB of memory, and the conductor has"
        " 1,000; take less, or raise resource_limits.max_memory_mb as far as the machine allows",
        "15:13: sheets[2].resources.gpus: takes 2 gpus, and the conductor has 1; run it where"
        " there are, or set 'gpus' in conductor.yaml",
        "18:25: sheets[3].resources.labels: wants a machine called 'tape', and the conductor has"
        " only ssd, big; run it where there is one, or add it to 'labels' in conductor.yaml",
    ]


def test_where_the_machines_are_not_known_nothing_is_refused() -> None:
    sheets = load(SCORE).sheets
    assert [sheet.memory_mb for sheet in sheets] == [500, 2000, 500, 500]
    assert sheets[0].labels == ("ssd",)


def test_what_the_score_says_for_all_is_told_once_at_the_top() -> None:
    text = reference("{size: 1, total_items: 3}", "resources: {gpus: 1}")
    assert problems(text, supply=Supply(0, 1000)) == [
        "5:19: resources.gpus: takes 1 gpu, and the conductor has 0; run it where there are, or"
        " set 'gpus' in conductor.yaml"
    ]


def test_the_making_of_a_list_takes_nothing_and_its_items_do() -> None:
    text = """
    name: x
    sheets:
      - name: each
        each: {command: ls}
        run: echo {{ item }}
        resources: {memory_mb: 700, gpus: 1}
    """
    plan = load(text, supply=SMALL)
    assert (plan.sheet(1).memory_mb, plan.sheet(1).gpus) == (0, 0)
    assert (plan.lists[1].sheet.memory_mb, plan.lists[1].sheet.gpus) == (700, 1)
    assert len(problems(text, supply=Supply(0, 1000))) == 1


def test_processors_are_said_once() -> None:
    (told,) = problems("name: x\nsheets: [{name: a, run: 'true', cpus: 2, resources: {cpus: 3}}]\n")
    assert "has cpus, and resources with cpus" in told

"""What is counted as it happens, and what metrics make of it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from handler_stage import empty_database
from judgement_stage import Stage

from actors.testing import Simulation
from marianne.daemon.api.handlers import daemon_metrics
from marianne.daemon.shared.figures import MOST_INSTRUMENTS, OTHER, Figures, Histogram, kind_of
from marianne.daemon.views.metrics import histograms, metrics
from marianne.model.result import AttemptResult
from marianne.state.changes import AddAttempt, SetMeta
from marianne.state.reader import Reader


def _attempt(instrument: str, outcome: str = "completed", seconds: float = 2.0) -> AddAttempt:
    return AddAttempt("job", AttemptResult(1, 1, outcome, 10.0, 10.0 + seconds), instrument)


def test_attempts_are_counted_by_instrument_and_outcome() -> None:
    figures = Figures()
    figures.commit([_attempt("shell"), SetMeta("x", b""), _attempt("shell", "failed")])
    figures.commit([_attempt("claude", seconds=7.0)])
    assert figures.attempts == {
        ("shell", "completed"): 1,
        ("shell", "failed"): 1,
        ("claude", "completed"): 1,
    }
    assert figures.runs["shell"].sum == 4.0
    assert sum(figures.runs["claude"].counts) == 1


def test_instruments_without_end_are_one_series() -> None:
    figures = Figures()
    figures.commit([_attempt(f"i{n}") for n in range(MOST_INSTRUMENTS + 50)])
    assert len(figures.runs) == MOST_INSTRUMENTS + 1
    assert figures.attempts[OTHER, "completed"] == 50


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("store", "store"),
        ("job:a-b/worker", "job/worker"),
        ("job:a", "job"),
        ("job:a/job", "job/job"),
    ],
)
def test_a_kind_of_actor_names_no_job(name: str, kind: str) -> None:
    assert kind_of(name) == kind


def test_buckets_count_all_below_their_bound() -> None:
    histogram = Histogram((1.0, 2.0))
    for seconds in (0.5, 1.0, 1.5, 9.0):
        histogram.observe(seconds)
    family = histograms("h", "It.", [({"a": "b"}, histogram)])
    assert [(s["name"], s["labels"], s["value"]) for s in family["samples"]] == [
        ("h_bucket", {"a": "b", "le": "1.0"}, 2.0),
        ("h_bucket", {"a": "b", "le": "2.0"}, 3.0),
        ("h_bucket", {"a": "b", "le": "+Inf"}, 4.0),
        ("h_sum", {"a": "b"}, 12.0),
        ("h_count", {"a": "b"}, 4.0),
    ]


def test_every_family_is_told_once_and_names_no_job(tmp_path: Path) -> None:
    with Simulation() as sim:
        context = Stage(sim, tmp_path).context
        context.figures.restarted("job:secret/worker")
        with Reader(empty_database()) as reader:
            families = metrics(context, reader)
    names = [family["name"] for family in families]
    assert len(set(names)) == len(names)
    labels = {
        value
        for family in families
        for sample in family["samples"]
        for value in sample["labels"].values()
    }
    assert "job/worker" in labels
    assert not any("secret" in value for value in labels)
    assert daemon_metrics.MUTATING is False


def test_the_page_names_every_family_and_its_labels(tmp_path: Path) -> None:
    page = (Path(__file__).parents[3] / "docs" / "metrics.md").read_text()
    rows = re.findall(r"^\| `(marianne_\w+)` \|(.*?)\| (.*?) \|$", page, re.MULTILINE)
    with Simulation() as sim:
        stage = Stage(sim, tmp_path)
        stage.ears("store")
        context = stage.context
        context.rate_limits.until = {"claude": float("inf")}
        context.figures.restarted("store")
        context.figures.commit([_attempt("shell")])
        with Reader(empty_database()) as reader:
            families = metrics(context, reader)
    assert [name for name, *_ in rows] == [family["name"] for family in families]
    for (name, labels, meaning), family in zip(rows, families, strict=True):
        told = {label for sample in family["samples"] for label in sample["labels"]} - {"le"}
        assert set(re.findall(r"`(\w+)`", labels)) == told, name
        assert meaning.startswith("histogram") == (family["type"] == "histogram")

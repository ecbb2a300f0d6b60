"""Who stands on either side of the seam has all that the other side asks, with the same words."""

from __future__ import annotations

import inspect

import pytest

from marianne.daemon.cluster.executors import Executors
from marianne.daemon.job.actor import Job
from marianne.daemon.worker.actor import Worker
from marianne.daemon.worker.executor import LocalExecutor
from marianne.executors.protocol import Executor, Hearer, Runner
from marianne.executors.stub import StubExecutor, StubRunner


def asked(kind: type) -> dict[str, list[str]]:
    """The public methods of a class and the names of their parameters."""
    return {
        name: list(inspect.signature(method).parameters)
        for name, method in inspect.getmembers(kind, inspect.isfunction)
        if not name.startswith("_")
    }


@pytest.mark.parametrize(
    ("protocol", "kind"),
    [
        (Executor, LocalExecutor),
        (Executor, StubExecutor),
        (Executor, Executors),
        (Runner, Worker),
        (Runner, StubRunner),
        (Hearer, Job),
    ],
)
def test_each_side_of_the_seam_answers_what_the_other_asks(protocol: type, kind: type) -> None:
    found = asked(kind)
    assert {name: found.get(name) for name in asked(protocol)} == asked(protocol)

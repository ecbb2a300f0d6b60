"""What people are answered about where sheets run."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from marianne.daemon.api.handlers import daemon_drain_node, daemon_executors
from marianne.daemon.shared.refusal import Refused


def call(executor: Any) -> Any:
    return SimpleNamespace(context=SimpleNamespace(executor=executor))


@pytest.mark.parametrize("check", [False, True])
def test_the_executor_is_asked_to_describe_itself(check: bool) -> None:
    executor = SimpleNamespace(describe=lambda *, check: ("described", check))
    params = daemon_executors.Params(check=check)
    assert daemon_executors.handle(call(executor), params) == ("described", check)


def test_a_node_is_drained_and_given_sheets_again() -> None:
    drained: dict[str, bool] = {}

    def drain(node: str, *, on: bool) -> bool:
        drained[node] = on
        return True

    asked = call(SimpleNamespace(drain=drain))
    answer = daemon_drain_node.handle(asked, daemon_drain_node.Params(node="n1"))
    assert answer == {"node": "n1", "draining": True}
    daemon_drain_node.handle(asked, daemon_drain_node.Params(node="n1", draining=False))
    assert drained == {"n1": False}


def test_a_node_that_there_is_not_is_refused_by_its_name() -> None:
    asked = call(SimpleNamespace(drain=lambda node, *, on: False))
    with pytest.raises(Refused, match="no node 'n9'") as refused:
        daemon_drain_node.handle(asked, daemon_drain_node.Params(node="n9"))
    assert refused.value.code == "not_found"

"""Whatever a client sends is answered with a code; no part of the conductor ends of it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest
from e2e_marianne import Marianne, conductor, until

from ipc.client import Client
from ipc.errors import RemoteError

SMALL = "sheets:\n  - {name: a, run: 'true'}\n"
HELD = "sheets:\n  - {name: a, run: 'until test -e go; do sleep 0.02; done'}\n"


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Marianne]:
    with conductor(tmp_path_factory.mktemp("hostile")) as program:
        yield program


def _ask(marianne: Marianne, method: str, params: dict[str, Any], request_id: str = "") -> Any:
    """The answer, or the code of the refusal."""
    with Client(marianne.home / "conductor.sock") as client:
        try:
            return client.request(method, params, 10.0, request_id or None)
        except RemoteError as error:
            return error.code


def _unharmed(marianne: Marianne) -> bool:
    nodes = marianne.tree().values()
    return all(node["restarts"] == 0 and node["last_crash"] is None for node in nodes)


def test_numbers_and_texts_that_nobody_can_keep_end_no_actor(shared: Marianne) -> None:
    asked = [
        ("job.list", {"cursor": 2**64 - 1}),
        ("job.list", {"all": True, "cursor": 2**63}),
        ("job.submit", {"score": SMALL, "client_cwd": "x\0"}),
        ("job.submit", {"config_path": "x\0.yaml", "client_cwd": "/"}),
        ("job.submit", {"score": f"name: s\n{SMALL}", "environment": {"A": "b\0"}}),
        ("events.since", {"seq": 2**64 - 1}),
        ("job.clear", {"older_than_seconds": float("nan")}),
        ("daemon.shutdown", {"mode": "drain", "drain_seconds": float("inf")}),
    ]
    for _ in range(3):
        for method, params in asked:
            assert _ask(shared, method, params) == "invalid_params", (method, params)
    assert _ask(shared, "job.status", {"job_id": "x\0"}) == "invalid_params"
    assert _unharmed(shared)


def test_a_used_id_with_another_question_is_refused_and_does_nothing(shared: Marianne) -> None:
    score = f"name: used\nworkspace: {shared.place}/used\n{HELD}"
    (shared.place / "used").mkdir()
    environment = {"PATH": os.environ["PATH"]}
    params = {"score": score, "client_cwd": str(shared.place), "environment": environment}
    answer = _ask(shared, "job.submit", params, "id-1")
    job = answer["job_id"]
    assert _ask(shared, "job.cancel", {"ids": [job]}, "id-1") == "bad_request"
    assert _ask(shared, "job.submit", {**params, "priority": 1}, "id-1") == "bad_request"
    assert _ask(shared, "job.submit", params, "id-1") == answer
    until(lambda: shared.sheet(job, 1)["status"] == "running")  # else it would stand paused
    assert _ask(shared, "job.pause", {"ids": [job]}, "id-2")["jobs"][0]["ok"]
    assert _ask(shared, "job.resume", {"ids": [job]}, "id-2") == "bad_request"
    assert _ask(shared, "job.pause", {"ids": [job, "other"]}, "id-2") == "bad_request"
    assert _ask(shared, "job.pause", {"ids": [job]}, "id-2")["jobs"][0]["ok"]
    (shared.place / "used" / "go").touch()
    until(lambda: shared.status(job)["status"] == "completed")
    shared("restart")
    assert _ask(shared, "job.cancel", {"ids": [job]}, "id-1") == "bad_request"
    assert _ask(shared, "job.submit", params, "id-1") == answer

"""Names of jobs, and some of a score's sheets: one conductor for all of it."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from e2e_marianne import Marianne

from ipc.client import Client

HELD = "sheets:\n  - {name: a, run: 'echo {{ file }}; until test -e go; do sleep 0.02; done'}\n"
VARIABLES = "variables: {file: none}\n"
THREE = """sheets:
  - {name: fetch, run: echo fetch >> order}
  - {name: convert, each: [x, y], needs: [fetch], run: 'echo {{ item }} >> order'}
  - {name: report, needs: [convert], run: echo report >> order}
"""


@pytest.fixture
def marianne(shared: Marianne) -> Marianne:
    return shared


def run(marianne: Marianne, path: str, *options: str) -> str:
    return str(marianne("run", path, *options, "--json").json["job_id"])


def test_a_score_that_is_run_again_is_another_job_and_its_name_means_the_newest(
    marianne: Marianne,
) -> None:
    path = marianne.score("conv", VARIABLES + HELD)
    for place in ("conv", "other"):
        (marianne.place / place).mkdir()
    first = run(marianne, path, "--var", "file=a")
    second = run(marianne, path, "--var", "file=b")
    third = run(marianne, path, "--var", "file=b", "--workspace", "other")
    assert len({first, second, third}) == 3
    refused = marianne("run", path, "--var", "file=b", code=5)
    assert f"{second} is running" in refused.err
    assert "--workspace" in refused.err
    (marianne.place / "conv" / "go").touch()
    (marianne.place / "other" / "go").touch()
    for job in (first, second, third):
        marianne.wait(job)
    assert marianne("output", second).out == "b\n"
    shown = marianne("status", "conv", "--json", code=None)
    if shown.code == 0:  # nobody else had the name
        assert shown.json["job_id"] == first
        assert marianne("status", "conv").out.split()[0].startswith(third)
        assert f"the newest job of conv is {third}" in marianne("cancel", "conv", code=5).err
    assert {job["job_id"] for job in marianne("list", "--score", path, "--json").json} == {
        first,
        second,
        third,
    }


def test_a_single_score_has_one_job(marianne: Marianne) -> None:
    path = marianne.score("alone", "single: true\n" + VARIABLES + HELD)
    (marianne.place / "alone").mkdir()
    first = run(marianne, path)
    refused = marianne("run", path, "--var", "file=b", "--workspace", "w", code=5)
    assert "single: true" in refused.err
    beside = run(marianne, path, "--id", f"{first}-beside")
    (marianne.place / "alone" / "go").touch()
    for job in (first, beside):
        marianne.wait(job)
    marianne.wait(run(marianne, path))


def test_many_clients_at_once_make_one_job_each_and_a_resent_request_makes_none(
    marianne: Marianne,
) -> None:
    path = marianne.score(
        "crowd", "sheets:\n  - {name: a, run: 'echo {{ n }}'}\nvariables: {n: 0}\n"
    )
    marianne("start")

    def submit(number: int) -> list[str]:
        params = {
            "config_path": path,
            "client_cwd": "/",
            "environment": marianne.env,
            "variables": {"n": str(number)},
        }
        with Client(marianne.home / "conductor.sock") as client:
            twice = [client.request("job.submit", params, 30.0, f"crowd-{number}") for _ in "12"]
        return [str(answer["job_id"]) for answer in twice]

    with ThreadPoolExecutor(8) as pool:
        pairs = list(pool.map(submit, range(16)))
    assert all(first == again for first, again in pairs)
    assert len({first for first, _again in pairs}) == 16


def test_only_the_sheets_that_were_asked_for_run(marianne: Marianne) -> None:
    path = marianne.score("some", THREE)

    def ran(*options: str) -> tuple[list[str], dict[str, Any]]:
        order = marianne.place / "some" / "order"
        order.unlink(missing_ok=True)
        told = marianne("run", path, "--wait", "--json", *options)
        job = told.json["job_id"]
        return order.read_text().split(), marianne.status(job)

    words, status = ran("--only", "convert-2,report", "-J", "1")
    assert words == ["y", "report"]
    left = [one for one in status["sheets"] if one["status"] == "skipped"]
    assert {one["error"]["message"] for one in left} == {"not asked for"}
    assert [one["name"] for one in left] == ["fetch", "convert-1"]
    assert sorted(ran("--from", "convert")[0]) == ["report", "x", "y"]
    assert sorted(ran("--until", "convert", "--start-sheet", "2")[0]) == ["x", "y"]
    told = marianne("run", path, "--only", "convrt", "--json", code=2)
    assert "did you mean 'convert'" in json.loads(told.out)["error"]["message"]


LISTED = """sheets:
  - {name: fetch, run: 'echo fetch >> order; touch c.csv'}
  - {name: convert, needs: [fetch], each: {glob: "*.csv"}, run: 'echo {{ item }} >> order'}
  - {name: report, needs: [convert], run: echo report >> order}
"""


def test_what_a_list_makes_runs_with_it(marianne: Marianne) -> None:
    path = marianne.score("listed", LISTED)
    place = marianne.place / "listed"
    place.mkdir()
    for name in ("a.csv", "b.csv"):
        (place / name).touch()

    def ran(*options: str) -> list[str]:
        (place / "order").unlink(missing_ok=True)
        marianne("run", path, "--wait", "--json", *options)
        return sorted((place / "order").read_text().split())

    assert ran("--only", "convert") == ["a.csv", "b.csv"]
    assert ran("--only", "fetch,report") == ["fetch", "report"]
    assert ran("--from", "convert") == ["a.csv", "b.csv", "c.csv", "report"]
    refused = marianne("run", path, "--only", "convert[a.csv]", code=2)
    assert "ask for 'convert'" in refused.err


def test_no_more_sheets_run_at_once_than_were_asked_for(marianne: Marianne) -> None:
    """Each looks whether another is there: with one at a time none is."""
    run_alone = "mkdir lock && rmdir lock"
    path = marianne.score("at-once", f"sheets:\n  - {{name: a, fan_out: 8, run: '{run_alone}'}}\n")
    assert marianne("run", path, "-J", "1", "--wait", "--json").json["status"] == "completed"

"""The paths behind walls: what is put back where, and in which order."""

from __future__ import annotations

from pathlib import Path

import pytest

from marianne.walls.asked import Sandbox
from marianne.walls.blueprint import Blueprint, Places, Step, blueprint, steps
from marianne.walls.offers import Offers
from marianne.walls.standing import standing

ALL = Offers(7, pids=True, mounts=True, proc=True, network=True, needs_user=False, why={})


@pytest.fixture
def places(tmp_path: Path) -> Places:
    """A home with the job's sheets, a workspace beside it, a directory for temporary files."""
    for name in ("home/jobs/one/sheets", "home/inner", "work", "temporary/deep", "user"):
        (tmp_path / name).mkdir(parents=True)
    top = str(tmp_path)
    return Places(
        f"{top}/work",
        f"{top}/home",
        f"{top}/home/jobs/one/sheets",
        (f"{top}/temporary",),
        f"{top}/user",
        root=False,
    )


def plan_of(asked: Sandbox, places: Places) -> Blueprint:
    return blueprint(asked, standing(asked, ALL), places)


def test_what_may_be_written_is_put_back(places: Places) -> None:
    plan = plan_of(Sandbox(write=("workspace", "~/cache", "sub")), places)
    cache = f"{places.user}/cache"
    assert Path(cache).is_dir()
    assert plan.writable == (places.workspace, cache, *places.temporary)
    assert {one.path for one in steps(plan)} == set(plan.writable)
    assert {one.what for one in steps(plan)} == {"keep"}


def test_a_home_is_hidden_but_for_what_the_job_was_given(places: Places) -> None:
    assert steps(plan_of(Sandbox(isolate=True), places)) == [
        Step(places.home, "hide"),
        Step(places.sheets, "show"),
    ]


def test_the_message_queues_of_outside_are_hidden_where_there_are_any(
    places: Places, tmp_path: Path
) -> None:
    (tmp_path / "queues").mkdir()
    with_queues = places._replace(queues=(f"{tmp_path}/queues", f"{tmp_path}/none"))
    hidden = {
        one.path for one in steps(plan_of(Sandbox(isolate=True), with_queues)) if one.what == "hide"
    }
    assert hidden == {places.home, f"{tmp_path}/queues"}
    assert steps(plan_of(Sandbox(tmp="private"), with_queues)) == steps(
        plan_of(Sandbox(tmp="private"), places)
    )


def test_a_workspace_within_the_home_stays(places: Places) -> None:
    inner = f"{places.home}/inner"
    plan = plan_of(Sandbox(isolate=True), places._replace(workspace=inner))
    assert steps(plan) == [
        Step(places.home, "hide"),
        Step(inner, "keep"),
        Step(places.sheets, "show"),
    ]


def test_a_home_within_what_may_be_written_is_hidden_all_the_same(places: Places) -> None:
    top = str(Path(places.home).parent)
    plan = plan_of(Sandbox(isolate=True, write=(top,)), places)
    assert steps(plan)[:2] == [Step(top, "keep"), Step(places.home, "hide")]
    plan = plan_of(Sandbox(isolate=True, write=(places.home,)), places)
    assert Step(places.home, "hide") in steps(plan)


def test_a_workspace_within_a_private_tmp_stays(places: Places) -> None:
    deep = f"{places.temporary[0]}/deep"
    plan = plan_of(Sandbox(tmp="private"), places._replace(workspace=deep))
    assert steps(plan) == [Step(places.temporary[0], "cover"), Step(deep, "keep")]


def test_what_may_only_be_read_is_not_put_back_to_be_written(places: Places) -> None:
    deep = f"{places.temporary[0]}/deep"
    plan = plan_of(Sandbox(tmp="private", write=("workspace",), read=(deep,)), places)
    assert Step(deep, "show") in steps(plan)


def test_a_link_is_taken_for_what_it_leads_to(places: Places) -> None:
    link = Path(places.user) / "link"
    link.symlink_to(places.workspace)
    plan = plan_of(Sandbox(write=(str(link),)), places)
    assert plan.writable == (places.workspace, *places.temporary)

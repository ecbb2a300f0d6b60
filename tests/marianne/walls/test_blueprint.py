"""The paths behind walls: what is put back where, and in which order."""

from __future__ import annotations

from pathlib import Path

import pytest

from marianne.walls.asked import Sandbox
from marianne.walls.blueprint import Blueprint, PlaceError, Places, Step, blueprint, steps
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


@pytest.mark.parametrize("asked", ["write", "read"])
@pytest.mark.parametrize(
    ("named", "link"),
    [
        ("out", "work/out"),
        ("out/deep", "work/out"),
        ("out/new", "work/out"),
        ("out/deep/../deep", "work/out"),
        ("{top}/work/out", "work/out"),
        ("{top}/temporary/out", "temporary/out"),
        ("{top}/linked/out", "work/out"),
    ],
)
def test_a_place_is_not_where_another_sheet_has_linked_it_to(
    places: Places, tmp_path: Path, asked: str, named: str, link: str
) -> None:
    precious = tmp_path / "precious"
    (precious / "deep").mkdir(parents=True)
    (tmp_path / "linked").symlink_to(places.workspace)
    (tmp_path / link).symlink_to(precious)
    named = named.format(top=tmp_path)
    with pytest.raises(PlaceError, match=f"'{asked}': {named} leads to {precious}.*name that"):
        plan_of(Sandbox(**{asked: ("workspace", named)}), places)
    assert [path.name for path in precious.iterdir()] == ["deep"]


@pytest.mark.parametrize("to", ["/", "..", "../precious", "../temporary/out"])
def test_links_of_sheets_do_not_vouch_for_each_other(
    places: Places, tmp_path: Path, to: str
) -> None:
    (tmp_path / "precious").mkdir()
    (tmp_path / "temporary/out").symlink_to("../../work/one")
    for name in ("one", "two"):
        (tmp_path / "work" / name).symlink_to(to if to != "../temporary/out" else "/")
    outer = f"{places.temporary[0]}/out"
    for named in (("one", "two"), ("one/..", "two/.."), ("two", outer), (outer, "one")):
        with pytest.raises(PlaceError):
            plan_of(Sandbox(write=named), places)


def test_links_of_the_users_own_are_followed_and_those_that_stay_inside(
    places: Places, tmp_path: Path
) -> None:
    (tmp_path / "big").mkdir()
    (tmp_path / "user/cache").symlink_to(tmp_path / "big")
    (tmp_path / "big/sub").mkdir()
    (tmp_path / "work/real").mkdir()
    (tmp_path / "work/inside").symlink_to("real")
    plan = plan_of(
        Sandbox(write=("~/cache", "~/cache/sub", "inside", f"{places.temporary[0]}/deep")), places
    )
    assert plan.writable == (f"{tmp_path}/big", f"{tmp_path}/work/real", *places.temporary)
    assert plan_of(Sandbox(write=("../big", "inside/..")), places).writable == (
        f"{tmp_path}/big",
        *(places.workspace, *places.temporary),
    )
    elsewhere = tmp_path / "temporary/linked-work"
    elsewhere.symlink_to(places.workspace)
    plan = plan_of(Sandbox(write=("workspace",)), places._replace(workspace=str(elsewhere)))
    assert plan.writable == (places.workspace, *places.temporary)

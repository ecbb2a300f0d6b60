"""What is up to date: by the contents of files, and by nothing else."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from marianne.model.plan import Injection, Instrument, Plan, Prompt, SheetPlan
from marianne.run import fresh
from marianne.run.fresh import FRESH, NOT_MADE, STALE
from marianne.run.freshness import spec_of


class House:
    """A workspace with a sheet that makes ``out`` of ``in/*``, after one that makes ``first``."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.spec: dict[str, Any] = {
            "workspace": str(place),
            "record": str(place / ".marianne-fresh" / "x.json"),
            "basis": "does this",
            "inputs": ["in/*"],
            "needs": {"before": ["first"]},
            "outputs": ["out", "many/**/*.txt"],
            "may_skip": True,
        }
        self.write("in/a", "a")
        self.write("first", "1")

    def write(self, path: str, text: str) -> None:
        file = self.place / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def begin(self, capsys: pytest.CaptureFixture[str], **changed: Any) -> tuple[int, str]:
        path = self.place.parent / "spec"
        path.write_text(json.dumps({**self.spec, **changed}))
        code = fresh.main(["begin", str(path)])
        return code, capsys.readouterr().out.strip()

    def done(self) -> int:
        return fresh.main(["done", str(self.place.parent / "spec")])

    def completes(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert self.begin(capsys)[0] == STALE
        self.write("out", "o")
        self.write("many/deep/x.txt", "x")
        assert self.done() == FRESH


@pytest.fixture
def house(tmp_path: Path) -> House:
    (tmp_path / "w").mkdir()
    return House(tmp_path / "w")


def test_what_never_completed_here_runs(house: House, capsys: pytest.CaptureFixture[str]) -> None:
    assert house.begin(capsys) == (STALE, "it has not completed here before")


def test_what_is_as_it_was_is_up_to_date_however_often_it_is_touched(
    house: House, capsys: pytest.CaptureFixture[str]
) -> None:
    house.completes(capsys)
    for when in (1.0, 5e8, 2e9):
        for path in ("in/a", "out", "first"):
            house.write(path, (house.place / path).read_text())
            os.utime(house.place / path, (when, when))
        assert house.begin(capsys) == (FRESH, "up to date")


@pytest.mark.parametrize(
    ("path", "text", "why"),
    [
        ("in/a", "b", "the input in/a has changed"),
        ("in/b", "new", "the input in/b has changed"),
        ("first", "2", "what it needs of first has changed"),
        ("out", "p", "the output out has changed"),
        ("many/y.txt", "", "the output many/y.txt has changed"),
    ],
)
def test_a_change_of_contents_is_told(
    house: House, capsys: pytest.CaptureFixture[str], path: str, text: str, why: str
) -> None:
    house.completes(capsys)
    house.write(path, text)
    assert house.begin(capsys) == (STALE, why)


def test_a_change_of_the_same_size_and_time_is_seen(
    house: House, capsys: pytest.CaptureFixture[str]
) -> None:
    house.completes(capsys)
    before = (house.place / "in/a").stat()
    house.write("in/a", "z")
    os.utime(house.place / "in/a", ns=(before.st_atime_ns, before.st_mtime_ns))
    assert house.begin(capsys)[0] == STALE


def test_an_output_that_is_gone_is_made_again(
    house: House, capsys: pytest.CaptureFixture[str]
) -> None:
    house.completes(capsys)
    (house.place / "out").unlink()
    assert house.begin(capsys) == (STALE, "the output out has changed")


def test_what_it_does_and_who_asks_count_too(
    house: House, capsys: pytest.CaptureFixture[str]
) -> None:
    house.completes(capsys)
    assert house.begin(capsys, basis="does that") == (STALE, "what it does has changed")
    assert house.begin(capsys, may_skip=False) == (STALE, "it runs again")
    assert house.begin(capsys) == (FRESH, "up to date")


def test_what_is_declared_and_not_made_is_named_and_nothing_is_recorded(
    house: House, capsys: pytest.CaptureFixture[str]
) -> None:
    house.begin(capsys)
    house.write("out", "o")
    assert house.done() == NOT_MADE
    assert capsys.readouterr().out == "many/**/*.txt was not made\n"
    assert house.begin(capsys)[0] == STALE


def test_inputs_that_change_while_it_runs_make_it_run_again(
    house: House, capsys: pytest.CaptureFixture[str]
) -> None:
    house.begin(capsys)
    house.write("in/a", "changed meanwhile")
    house.write("out", "o")
    house.write("many/x.txt", "x")
    assert house.done() == FRESH
    assert house.begin(capsys) == (STALE, "the input in/a has changed")


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"files": {}}'])
def test_a_record_that_is_none_makes_it_run(
    house: House, capsys: pytest.CaptureFixture[str], text: str
) -> None:
    house.completes(capsys)
    Path(house.spec["record"]).write_text(text)
    assert house.begin(capsys)[0] == STALE


# -- what the program is told --------------------------------------------------------------------


def plan_of(**fields: Any) -> Plan:
    shell = Instrument("shell")
    first = SheetPlan(1, "first", 1, shell, Prompt("true"), outputs=fields.pop("makes", ()))
    second = SheetPlan(
        2,
        "second",
        2,
        shell,
        Prompt("echo {{ word }}", variables={"word": "secret-word", "other": 1}),
        needs=(1,),
        inputs=("{{ word }}/*",),
        outputs=("out",),
        **fields,
    )
    return Plan("job", "/w", (first, second), total_stages=2)


def spec(plan: Plan, job: str = "a", skipped: tuple[int, ...] = ()) -> dict[str, Any]:
    return spec_of(plan, plan.sheet(2), list(skipped), job, may_skip=True)


@pytest.mark.parametrize("what", ["a pipe", "a device", "deep", "of others", "lists"])
def test_a_record_that_somebody_else_put_there_makes_it_run(
    house: House, capsys: pytest.CaptureFixture[str], what: str
) -> None:
    house.completes(capsys)
    record = Path(house.spec["record"])
    record.unlink()
    if what == "a pipe":
        os.mkfifo(record)
    elif what == "a device":
        record.symlink_to("/dev/zero")
    else:
        others = {"made_of": {"inputs": []}, "files": [1], "outputs": "x"}
        kept = {"made_of": {}, "files": {str(house.place / "in/a"): 7}, "outputs": {}}
        text = {"deep": "[" * 100_000, "of others": json.dumps(others), "lists": json.dumps(kept)}
        record.write_text(text[what])
    spec = house.place.parent / "spec"
    spec.write_text(json.dumps(house.spec))
    words = [sys.executable, "-I", "-S", str(fresh.__file__), "begin", str(spec)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (STALE, "")
    assert house.done() == FRESH
    assert house.begin(capsys)[0] == FRESH


def test_long_names_that_end_alike_have_records_of_their_own() -> None:
    sheets = tuple(
        SheetPlan(n, f"convert[{first}{'x' * 250}]", n, Instrument("shell"), Prompt("true"))
        for n, first in enumerate("ab", 1)
    )
    plan = Plan("p", "/w", sheets, total_stages=2)
    records = [spec_of(plan, sheet, [], "j", may_skip=True)["record"] for sheet in sheets]
    assert len(set(records)) == 2
    assert all(len(os.path.basename(one)) <= 240 for one in records)


def test_a_need_that_declares_nothing_and_ran_makes_it_run_in_every_job() -> None:
    assert spec(plan_of())["basis"] != spec(plan_of(), job="b")["basis"]
    assert spec(plan_of(), skipped=(1,)) == spec(plan_of(), job="b", skipped=(1,))
    made = plan_of(makes=("{{ sheet_name }}.txt",))
    assert spec(made) == spec(made, job="b")
    assert spec(made)["needs"] == {"first": ["first.txt"]}


def test_what_its_text_speaks_of_counts_and_no_secret_of_it_is_written() -> None:
    found = spec(plan_of(env={"A": "{{ word }}"}))
    assert found["inputs"] == ["secret-word/*"]
    assert "secret-word" not in found["basis"]
    assert found["basis"] != spec(plan_of())["basis"], "its environment"
    longer = plan_of(makes=("first",))
    more = SheetPlan(3, "third", 3, Instrument("shell"), Prompt("true"))
    wider = Plan("job", "/w", (*longer.sheets, more), total_stages=3)
    assert spec(longer)["basis"] == spec(wider)["basis"], "the number of sheets does not"


def test_what_is_injected_into_its_prompt_is_an_input() -> None:
    inject = (Injection("notes/{{ word }}.md"), Injection("/skills", "skill", directory=True))
    assert spec(plan_of(injections=inject))["inputs"] == [
        "secret-word/*",
        "notes/secret-word.md",
        "/skills",
    ]

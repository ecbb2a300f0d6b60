"""Lists that are made when their sheet runs: how they are written, and how a plan grows by one."""

from __future__ import annotations

from dataclasses import replace

import pytest
from scorekit import load, problems

from marianne.model.plan import Growth, Plan
from marianne.score.growth import as_before, grow, listed, sheets_of, too_large
from marianne.score.pack import pack_plan, unpack_plan, unpack_sheets
from marianne.score.preview import preview_plan
from marianne.score.prompt import render_prompt

SCORE = """
    name: x
    variables: {kind: csv}
    sheets:
      - name: fetch
        run: mkdir in
      - name: convert
        needs: [fetch]
        each: {glob: "in/*.{{ kind }}", max_items: 50, timeout: 1m}
        run: convert {{ item | q }} {{ instance }}/{{ fan_count }}
        timeout: 5m
        retry: {max_retries: 2}
        skip_when: "false"
        validate:
          - {file_exists: "{item}.out"}
          - {file_exists: first, condition: instance == 1}
      - name: check
        needs: [convert]
        fan_out: 2
        run: "true"
"""


def grown(items: tuple[str, ...] = ("in/a.csv", "in/b.csv")) -> Plan:
    plan = load(SCORE)
    growth = listed(plan, 2, items, "in/").growth
    assert growth is not None
    return grow(plan, growth)


def test_the_entry_is_a_sheet_that_makes_the_list() -> None:
    plan = load(SCORE)
    sheet, source = plan.sheet(2), plan.lists[2]
    assert [one.name for one in plan.sheets] == ["fetch", "convert", "check-1", "check-2"]
    assert (source.kind, source.max_items) == ("glob", 50)
    assert render_prompt(plan, sheet) == "in/*.csv"
    assert (sheet.timeout_seconds, sheet.validations, sheet.skip_when) == (60.0, (), None)
    assert source.sheet.timeout_seconds == 300.0
    assert sheet.retry.max_retries == source.sheet.retry.max_retries == 2


def test_a_sheet_of_a_list_is_named_by_its_item_and_has_it() -> None:
    plan = grown()
    a, b = plan.sheets[4:]
    assert (a.name, b.name, a.num, b.num) == ("convert[a.csv]", "convert[b.csv]", 5, 6)
    assert render_prompt(plan, b) == "convert in/b.csv 2/2"
    assert (a.needs, a.stage, a.skip_when) == ((2,), 2, "false")


def test_what_needs_the_list_needs_every_sheet_of_it() -> None:
    assert [sheet.needs for sheet in grown().sheets[2:4]] == [(2, 5, 6)] * 2


def test_a_rule_with_a_condition_is_that_of_the_sheets_that_meet_it() -> None:
    assert [len(sheet.validations) for sheet in grown().sheets[4:]] == [2, 1]


def test_a_grown_plan_is_packed_and_unpacked() -> None:
    for plan in (load(SCORE), grown()):
        assert unpack_plan(pack_plan(plan)) == plan
        assert unpack_sheets(pack_plan(plan), 1, 10**6) == plan.sheets


def test_growing_twice_by_the_same_is_growing_once() -> None:
    plan = grown()
    assert grow(plan, plan.grown[0]) is plan
    with pytest.raises(ValueError, match="do not follow"):
        grow(plan, replace(plan.grown[0], first=9))


def test_a_further_list_adds_what_is_new_and_tells_what_is_gone() -> None:
    plan = grown()
    found = listed(plan, 2, ["in/b.csv", "in/c.csv"], "in/")
    assert (found.count, found.gone) == (2, (5,))
    assert found.growth == Growth(2, 7, ("in/c.csv",), ("convert[c.csv]",))
    plan = grow(plan, found.growth)
    assert [sheet.num for sheet in sheets_of(plan, 2)] == [5, 6, 7]
    assert plan.sheet(3).needs == (2, 5, 6, 7)
    assert (plan.sheet(7).instance, plan.sheet(7).fan_count) == (3, 3)
    assert listed(plan, 2, ["in/b.csv"], "in/").growth is None


def test_two_items_of_one_short_name_have_different_names() -> None:
    plan = grown(("in/a.csv",))
    growth = listed(plan, 2, ["other/a.csv"], "other/").growth
    assert growth is not None
    assert growth.names == ("convert[other/a.csv]",)


def test_a_plan_has_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = load(SCORE)
    growth = listed(plan, 2, ["a", "b"], "").growth
    assert growth is not None
    assert too_large(plan, growth) is None
    monkeypatch.setattr("marianne.score.growth.MAX_EDGES", 8)
    assert too_large(plan, growth) == (
        "the sheets would have 9 dependencies; at most 8 are allowed"
    )


def test_a_new_plan_of_the_job_has_the_sheets_of_its_lists() -> None:
    old = grown()
    new = as_before(old, load(SCORE.replace("5m", "6m")))
    assert [sheet.name for sheet in new.sheets] == [sheet.name for sheet in old.sheets]
    assert new.sheet(6).timeout_seconds == 360.0
    other = load(SCORE.replace("{glob: ", "{json: "))
    assert len(as_before(old, other).sheets) == 6  # it is the same sheet, made otherwise
    none = load(SCORE.replace('{glob: "in/*.{{ kind }}", max_items: 50, timeout: 1m}', "[a]"))
    assert len(as_before(old, none).sheets) == 4


def test_a_command_is_a_script_and_a_prompt_may_be_what_each_item_gets() -> None:
    plan = load("""
        name: x
        instrument: cli
        sheets:
          - name: a
            each:
              command: |
                printf '%s\\n' {{ job_name }}
            prompt: "Look at {{ item }}"
    """)
    assert plan.sheet(1).instrument.profile == "shell"
    assert plan.sheet(1).prompt.script
    assert plan.sheet(1).prompt.line == 8
    assert plan.lists[1].sheet.instrument.profile == "cli"


@pytest.mark.parametrize(
    ("each", "said"),
    [
        ("{}", "sheets[0].each: needs a list of values, or one of glob, command or json"),
        ("{glob: a, json: b}", "sheets[0].each: needs a list of values, or one of"),
        ("{globs: a}", "sheets[0].each.globs: unknown key; did you mean 'glob'?"),
        ("{glob: a, max_items: 0}", "sheets[0].each.max_items: "),
        ("abc", "sheets[0].each: must be a list; write [abc]"),
        ("{glob: '{{ x }}'}", "sheets[0].each.glob: 'x' is undefined"),
        ("{command: 'if true'}", "sheets[0].each.command: bash: syntax error"),
    ],
)
def test_what_cannot_be_meant_is_told(each: str, said: str) -> None:
    text = f"name: x\nsheets: [{{name: a, run: 'true', each: {each}}}]"
    found = problems(text, shell=True)
    assert any(said in line for line in found), found


def test_a_list_is_made_where_the_score_says_and_its_sheets_run_where_they_say() -> None:
    plan = load("""
        name: x
        env: {A: top}
        cwd: data
        sheets:
          - name: a
            each: {glob: "*"}
            env: {FILE: "{{ item }}"}
            cwd: other
            run: "true"
    """)
    sheet, each = plan.sheet(1), plan.lists[1].sheet
    assert (sheet.env, sheet.cwd) == ({"A": "top"}, "data")
    assert (each.env, each.cwd) == ({"A": "top", "FILE": "{{ item }}"}, "other")


def test_a_list_is_not_made_for_an_end() -> None:
    (line,) = problems(
        "name: x\nsheets: [{name: b, run: 'true'},"
        " {name: a, needs: [b], when: failed, each: {glob: '*'}, run: 'true'}]"
    )
    assert "a list is made when its needs have completed" in line


def test_an_item_that_goes_unquoted_into_a_script_is_warned_of() -> None:
    text = "name: x\nsheets: [{name: a, each: {glob: '*'}, run: 'wc -l {{ item }}'}]"
    (warning,) = load(text).warnings
    assert "item stands unquoted in a script: what the list gives is run" in warning
    assert load(text.replace("{{ item }}", "{{ item | q }}")).warnings == ()


def test_an_undefined_name_in_what_each_item_gets_is_found_at_load() -> None:
    (line,) = problems("name: x\nsheets: [{name: a, each: {glob: '*'}, run: 'wc {{ itme }}'}]")
    assert "'itme' is undefined; did you mean 'item'?" in line


def test_a_preview_shows_what_is_known_and_marks_what_is_not() -> None:
    sheet = preview_plan(load(SCORE))["sheets"][1]
    made = sheet["list"]
    assert made is not None
    assert (sheet["prompt"], sheet["command"], made["kind"]) == ("in/*.csv", None, "glob")
    assert made["each"]["name"] == "convert[⟨item⟩]"
    assert not made["each"]["rendered"] or "⟨an item of the list⟩" in made["each"]["prompt"]

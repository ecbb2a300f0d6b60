"""Where sheets share no directory with the conductor each says which files it needs and makes."""

from __future__ import annotations

from pathlib import Path

from scorekit import load, problems, reference

from marianne.model.errors import ScoreError
from marianne.score.check_executors import Known
from marianne.score.staging import brought, brought_back, lists_names

HEAD = "name: x\nsheets:\n"


def refused(sheet: str, top: str = "") -> list[str]:
    """What is said of a score with this sheet, and of what runs elsewhere nothing."""
    text = f"{HEAD}  - name: one\n    {sheet}\n{top}"
    load(text)
    try:
        load(text, staged=("far",), executors=Known(("far",)))
    except ScoreError as error:
        return [line.removeprefix("<stdin>:") for line in error.render().splitlines()]
    return []


def test_a_sheet_that_says_neither_is_refused_with_what_to_do() -> None:
    (said,) = refused("run: 'true'")
    assert said.startswith("3:5: sheets[0]: sheet 'one' runs on executor far, which shares no")
    assert "outputs: [] if it makes none" in said


def test_a_sheet_that_says_one_of_them_or_that_it_makes_nothing_is_fine() -> None:
    assert refused("{run: 'true', outputs: [a]}".strip("{}").replace(", ", "\n    ")) == []
    assert refused("run: 'true'\n    inputs: [a]\n    outputs: []") == []
    assert refused("run: 'true'\n    outputs: []") == []


def test_that_a_sheet_makes_nothing_stands_in_its_plan_and_it_is_never_up_to_date() -> None:
    (sheet,) = load(f"{HEAD}  - {{name: one, run: 'true', inputs: [a], outputs: []}}\n").sheets
    assert (sheet.makes_nothing, sheet.outputs, sheet.inputs) == (True, (), ("a",))
    (said,) = problems(f"{HEAD}  - {{name: one, run: 'true', inputs: [a]}}\n")
    assert "[] if that is nothing" in said


def test_what_leads_out_of_the_workspace_is_refused() -> None:
    for name in ("/etc/hosts", "../up", "~/own", "a/../../b"):
        (said,) = refused(f"run: 'true'\n    outputs: ['{name}']")
        assert f"'{name}' leads out of the workspace" in said
    (said,) = refused("run: 'true'\n    outputs: []\n    inject: [{file: ~/c.md, as: context}]")
    assert "'~/c.md' leads out of the workspace" in said


def test_a_list_of_a_command_is_refused_and_others_are_not() -> None:
    (said,) = refused("each: {command: ls}\n    run: echo {{ item }}\n    outputs: []")
    assert "it would see no file of the workspace" in said
    assert refused("each: {glob: '*'}\n    run: echo {{ item }}\n    outputs: []") == []


def test_an_archived_workspace_is_refused() -> None:
    (said,) = refused(
        "run: 'true'\n    outputs: []", "workspace_lifecycle: {archive_on_fresh: true}"
    )
    assert "archive_on_fresh" in said


def test_the_references_form_cannot_say_it() -> None:
    far = {"staged": ("far",), "executors": Known(("far",))}
    found = problems(reference("{size: 1, total_items: 2}"), **far)
    assert found
    assert all("does not say which files" in said for said in found)


def test_what_is_brought_is_what_the_sheet_reads(tmp_path: Path) -> None:
    plan = load(
        f"""{HEAD}
  - name: list
    each: {{glob: "in/*.csv"}}
    run: echo {{{{ item }}}}
    inputs: ["{{{{ item }}}}", lookup/]
    outputs: ["{{{{ item }}}}.out"]
  - name: told
    prompt: read it
    instrument: shell
    inject: [{{file: "no[te].md", as: context}}]
    cross_sheet: {{capture_files: ["more/*.txt"]}}
    outputs: []
"""
    )
    lister, told = plan.sheets
    assert brought(plan, lister) == ["in/*.csv"]
    assert lists_names(plan, lister)
    each = plan.lists[1].sheet
    assert brought(plan, each) == ["⟨item⟩", "lookup/"]
    assert brought_back(plan, each) == ["⟨item⟩.out"]
    assert not lists_names(plan, told)
    assert brought(plan, told) == ["no[[]te].md", "more/*.txt"]

"""A plan as bytes and back."""

from __future__ import annotations

import subprocess
import sys
import time

import msgpack
import pytest
from scorekit import load, reference

from marianne.score.pack import (
    PlanFormatError,
    pack_plan,
    unpack_outline,
    unpack_plan,
    unpack_sheets,
)

RICH = """
name: rich
workspace: /w
variables: {a: [1, {b: null, 2: x}]}
instruments: {quick: {profile: shell, config: {model: m}}}
cross_sheet: {auto_capture_stdout: true, capture_files: ["*.md"]}
inject: [{file: notes.md, as: skill}]
on_success: [{type: run_command, command: date}]
sheets:
  - {name: a, fan_out: 3, run: "true", validate: [{file_exists: x, timeout: 3s}]}
  - {name: b, needs: [a], instrument: cli, fallbacks: [quick], prompt: "{{ a[0] }}"}
  - {name: c, run: "true", skip_when_command: {command: "false"}, each: [1, two]}
"""


def test_unpacking_gives_back_what_was_packed() -> None:
    plan = load(RICH)
    assert unpack_plan(pack_plan(plan)) == plan


def test_some_sheets_and_the_outline_are_as_in_the_whole() -> None:
    plan = load(RICH)
    packed = pack_plan(plan)
    assert unpack_sheets(packed, 1, 10**6) == plan.sheets
    assert unpack_sheets(packed, 2, 2) == plan.sheets[1:2]
    assert unpack_sheets(packed, 0, 0) == ()
    told = [(one.num, one.name, one.entry, tuple(one.needs)) for one in unpack_outline(packed)]
    assert told == [(one.num, one.name, one.stage, one.needs) for one in plan.sheets]


def test_shared_parts_are_shared_again() -> None:
    plan = unpack_plan(pack_plan(load(RICH)))
    first, second = plan.sheets[:2]
    assert first.instrument is second.instrument
    assert first.prompt is second.prompt
    assert first.validations is second.validations


def test_a_plan_with_fewer_fields_gets_the_defaults() -> None:
    content = msgpack.unpackb(pack_plan(load(RICH)), strict_map_key=False)
    at = content["sheet_fields"].index("max_memory_mb")
    del content["sheet_fields"][at]
    for row in content["sheets"]:
        del row[at]
    content["pools"]["retry"] = [row[:2] for row in content["pools"]["retry"]]
    del content["plan"]["config_hash"]
    plan = unpack_plan(msgpack.packb(content))
    assert plan.sheets[0].max_memory_mb is None
    assert plan.sheets[0].retry.max_completion_attempts == 5


def test_a_plan_with_more_fields_loses_only_those() -> None:
    plan = load(RICH)
    content = msgpack.unpackb(pack_plan(plan), strict_map_key=False)
    content["sheet_fields"].append("mood")
    content["plan"]["colour"] = "blue"
    for row in content["sheets"]:
        row.append("merry")
    for row in content["pools"]["retry"]:
        row.append(1)
    assert unpack_plan(msgpack.packb(content)) == plan


@pytest.mark.parametrize("data", [b"", b"\xc1", b"\x80", msgpack.packb({"format": 99})])
def test_other_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(PlanFormatError):
        unpack_plan(data)


def test_what_a_running_job_imports_is_light() -> None:
    code = (
        "import sys, marianne.score.pack, marianne.score.prompt, marianne.score.placeholders,"
        " marianne.score.condition, marianne.score.context, marianne.instruments.command,"
        " marianne.instruments.output;"
        "print([m for m in ('pydantic', 'jinja2', 'yaml') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.slow
@pytest.mark.parametrize("form", ["short", "reference"])
def test_ten_thousand_sheets_are_quick_and_small(form: str) -> None:
    text = reference("{size: 1, total_items: 10000}")
    if form == "short":
        text = "name: big\nsheets:\n" + "".join(
            f"  - {{name: s{i}, run: 'echo {i} {{{{ sheet_num }}}}', needs: [s{max(i - 1, 0)}]}}\n"
            if i
            else "  - {name: s0, run: 'true'}\n"
            for i in range(10_000)
        )
    began = time.process_time()
    plan = load(text)
    took = time.process_time() - began
    packed = pack_plan(plan)
    assert len(plan.sheets) == 10_000
    assert took < 2.0
    assert len(packed) < 1_500_000
    assert unpack_plan(packed) == plan


def test_the_package_names_its_way_in_and_nothing_else() -> None:
    import marianne.score

    assert marianne.score.__all__ == [
        "Plan",
        "Problem",
        "ScoreError",
        "SheetPlan",
        "load_plan",
        "pack_plan",
        "unpack_plan",
    ]
    assert all(getattr(marianne.score, name) for name in marianne.score.__all__)
    with pytest.raises(AttributeError):
        marianne.score.nothing_of_the_kind  # noqa: B018

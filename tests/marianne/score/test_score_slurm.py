"""What a score says of Slurm: for which sheets it is, how it is merged, what is refused."""

from __future__ import annotations

from typing import Any

import pytest
from scorekit import load, problems

from marianne.model.batch import batch_options
from marianne.score.check_executors import Known


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("2h", 7200.0),
        ("30m", 1800.0),
        ("'2:00:00'", 7200.0),
        ("'90:00'", 5400.0),
        ("'1-12'", 129_600.0),
        ("'1-12:30'", 131_400.0),
        ("'1-12:30:30'", 131_430.0),
        ("'00:05:00'", 300.0),
    ],
)
def test_a_time_limit_is_written_as_slurm_writes_it_or_with_its_unit(
    written: str, seconds: float
) -> None:
    plan = load(f"name: x\nsheets: [{{name: a, run: 'true', slurm: {{time: {written}}}}}]\n")
    assert plan.sheet(1).slurm == {"time": seconds}


@pytest.mark.parametrize("written", ["120", "'120'", "2:00:00"])
def test_a_number_alone_which_is_minutes_to_slurm_is_refused(written: str) -> None:
    (told,) = problems(f"name: x\nsheets: [{{name: a, run: 'true', slurm: {{time: {written}}}}}]\n")
    assert "give a time limit with its unit (30m, 2h, 1d), or as Slurm writes it, in quotes" in told


@pytest.mark.parametrize("written", ["''", "'two words'", "x: y"])
def test_an_option_is_a_word(written: str) -> None:
    text = f"name: x\nslurm: {{partition: {written}}}\nsheets: [{{name: a, run: 'true'}}]\n"
    (told,) = problems(text.replace("x: y", "{x: y}"))
    assert "slurm.partition" in told


@pytest.mark.parametrize(
    ("sections", "options"),
    [
        ([], None),
        ([{}, {}], None),
        ([{"qos": "a"}], (("qos", "a"),)),
        ([{"qos": "a", "account": "b"}, {"qos": "c"}], (("account", "b"), ("qos", "c"))),
        ([{"qos": "a"}, {"qos": None}], ()),
        ([{"qos": "a"}, {"batch": False}], None),
        ([{"qos": "a", "batch": False}, {"batch": True}], (("qos", "a"),)),
        ([{"batch": True}], ()),
    ],
)
def test_what_is_said_nearest_to_a_sheet_goes_before_the_rest(
    sections: list[dict[str, Any]], options: Any
) -> None:
    assert batch_options(*sections) == options


def test_a_sheet_says_more_than_its_score_and_its_instrument() -> None:
    plan = load("""
    name: x
    slurm: {account: physics, partition: long}
    sheets:
      - {name: a, run: "true"}
      - {name: b, run: "true", slurm: {partition: gpu, time: 1h}}
      - {name: c, run: "true", slurm: {batch: false}}
      - name: d
        each: {command: ls}
        run: echo {{ item }}
    """)
    options = [sheet.batch_options(sheet.instrument) for sheet in plan.sheets]
    assert options == [
        (("account", "physics"), ("partition", "long")),
        (("account", "physics"), ("partition", "gpu"), ("time", 3600.0)),
        None,
        None,  # to make a list takes a moment
    ]
    assert plan.lists[4].sheet.batch_options(plan.sheet(1).instrument) == options[0]


def test_graphics_processors_are_asked_for_once() -> None:
    text = """
    name: x
    sheets:
      - name: a
        run: "true"
        resources: {gpus: 2}
        slurm: {gres: "nic:1,gpu:a100:2"}
    """
    (told,) = problems(text)
    assert told.startswith("7:19: sheets[0].slurm.gres: asks for graphics processors, as do its")
    assert load(text.replace(",gpu:a100:2", "")).sheet(1).gpus == 2


def test_where_it_has_no_effect_it_is_said() -> None:
    text = """
    name: x
    slurm: {account: physics}
    sheets:
      - {name: a, run: "true"}
      - {name: b, run: "true", slurm: {partition: gpu}}
    """
    reason = "accepted, no effect (it runs on no executor of kind slurm)"
    own = f"<stdin>:6: sheets[1].slurm: {reason}"
    assert load(text, batch=()).warnings == (f"<stdin>:3: slurm: {reason}", own)
    assert load(text).warnings == ()
    there = Known(("hpc", "local"))
    assert load(text, batch=("hpc",), executors=there).warnings == ()
    mixed = text.replace("name: b,", "name: b, executor: local,")
    assert load(mixed, batch=("hpc",), executors=there).warnings == (own,)
    here = Known(("local", "hpc"))
    assert load(text, batch=("hpc",), executors=here).warnings == (
        f"<stdin>:3: slurm: {reason}",
        own,
    )
    asked = Known(("local", "hpc"), "hpc")
    assert load(text, batch=("hpc",), executors=asked).warnings == ()

"""The plants of ``scripts/mutants`` fit the code as it is, and one that does not is told."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "scripts" / "mutant_parts"))

from mutant_frame import ROOT, Check, Plant, narrowed, reasons


@pytest.mark.parametrize("part", ["actors", "conductor", "daemon", "parameters"])
def test_each_plant_has_its_place_in_the_code_and_a_check(part: str) -> None:
    plants = import_module(f"plants_{part}").PLANTS
    assert len({plant.name for plant in plants}) == len(plants)
    for plant in plants:
        assert (ROOT / plant.file).read_text().count(plant.old) == 1, plant.name
        assert plant.old != plant.new
        assert plant.checks, plant.name


def test_each_documented_member_is_broken_or_cannot_be() -> None:
    part = import_module("plants_daemon")
    planted = {plant.name for plant in part.PLANTS}
    names = [(cls, f"{cls}.{name}") for _, cls, name in part.members() if name != "__init__"]
    assert {name for cls, name in names if cls not in part.SOUND} - {*planted, *part.SOUND} == set()


def test_a_plant_whose_text_is_gone_or_stands_twice_is_no_plant(tmp_path: Path) -> None:
    plant = Plant("x", "a.py", "one", "two", ())
    for text in ("nothing", "one one"):
        (tmp_path / "a.py").write_text(text)
        with pytest.raises(SystemExit, match="not once"):
            plant.into(tmp_path)
        assert (tmp_path / "a.py").read_text() == text
    (tmp_path / "a.py").write_text("only one here")
    plant.into(tmp_path)
    assert (tmp_path / "a.py").read_text() == "only two here"


def test_a_check_is_chosen_by_a_word_of_its_name() -> None:
    soak, other = Check("soak", ("a",)), Check("tests", ("b",))
    assert narrowed(Plant("x", "a.py", "o", "n", (other, soak)), "soak").checks == (soak,)


def test_the_reasons_are_those_lines_that_name_one() -> None:
    said = "running\n2 violations\n     1 limits\n  limits: a job too many\nFAILED test_x - no\n"
    assert reasons(said) == ["FAILED test_x - no", "     1 limits", "  limits: a job too many"]

"""What has no end in a score or a profile is that sheet's fault, and ends."""

from __future__ import annotations

import dataclasses
import re
import signal
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
from run_conductor import SHELL

from marianne.model.plan import Plan, Prompt, SheetPlan
from marianne.run.child import Ended
from marianne.run.grant import Grant
from marianne.run.outputs import Files
from marianne.run.time_limit import TimeUp, time_limit
from marianne.run.tools import Tools
from marianne.score.template import TemplateError

ENDLESS = "(a+)+$", "a" * 40 + "b"


def test_what_computes_for_too_long_is_stopped_and_what_does_not_is_not() -> None:
    with time_limit(5.0):
        assert re.search("a", "a")
    with pytest.raises(TimeUp), time_limit(0.05):
        re.search(*ENDLESS)
    assert signal.getsignal(signal.SIGPROF) is signal.SIG_DFL
    assert signal.getitimer(signal.ITIMER_PROF) == (0.0, 0.0)


def test_it_cannot_be_caught_by_chance() -> None:
    with pytest.raises(TimeUp), time_limit(0.05):
        catching_everything()


def catching_everything() -> None:
    """What a stranger's code may do."""
    while True:
        try:
            re.search(*ENDLESS)
        except Exception:  # noqa: BLE001
            continue


LOOP = "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}"


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("marianne.run.time_limit.SECONDS", 0.1)


def plan_of(sheet: SheetPlan) -> Plan:
    return Plan("test", "/nowhere", (sheet,), total_stages=1)


@pytest.mark.usefixtures("impatient")
def test_a_template_without_an_end_is_the_scores_fault() -> None:
    sheet = SheetPlan(1, "endless", 1, SHELL, Prompt(f"{LOOP} true", script=True))
    grant = Grant({"num": 1, "attempt": 1})
    with pytest.raises(TemplateError, match="no end"):
        Tools().prompt(plan_of(sheet), sheet, grant, "/nowhere")


@pytest.mark.usefixtures("impatient")
def test_a_pattern_without_an_end_fails_the_sheet_that_met_it(tmp_path: Path) -> None:
    files = Files(str(tmp_path), 1, 1)
    (tmp_path / "sheets").mkdir()
    Path(files.err).write_text(ENDLESS[1])
    errors = {"success_exit_codes": [0], "rate_limit_patterns": [ENDLESS[0]]}
    instrument = dataclasses.replace(SHELL, profile="odd", errors=errors)
    ended = SimpleNamespace(exit_code=1, signal=None)
    reading = Tools().read(instrument, cast(Ended, ended), files)
    assert not reading.ok
    assert "odd" in (reading.message or "")

"""Who is told of all jobs, in the configuration: checked as in a score, where it is read."""

from __future__ import annotations

import subprocess
import sys

import pytest
from pydantic import TypeAdapter, ValidationError

from marianne.daemon.config.model import DaemonConfig
from marianne.daemon.config.receivers import Receivers


def test_a_receiver_is_one_of_a_score_with_its_defaults() -> None:
    given = [{"type": "command", "config": {"command": "true", "digest": "1m"}}]
    (told,) = TypeAdapter(Receivers).validate_python(given)
    assert told["on_events"] == ["job_complete", "job_failed"]
    assert told["config"] == {"command": "true", "digest": 60.0}


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"type": "webhook"}, r"1: webhook needs config\.url"),
        (
            {"type": "command", "config": {"command": "x", "quiet": "no"}},
            "1: config: quiet must be hours",
        ),
        ({"type": "pigeon"}, "1: type: Input should be"),
        ({"type": "desktop", "on": 1}, "1: on: "),
    ],
)
def test_one_that_does_not_fit_is_named_with_its_place(wrong: object, why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        DaemonConfig.model_validate({"notifications": [wrong]})


def test_without_receivers_the_language_of_scores_is_not_read() -> None:
    code = (
        "import sys\n"
        "from marianne.daemon.config.model import DaemonConfig\n"
        "DaemonConfig.model_validate({'notifications': []})\n"
        "sys.exit('marianne.score.models' in sys.modules)\n"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

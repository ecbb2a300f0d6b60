"""The three ways to tell what happens to a job."""

from __future__ import annotations

from typing import Any

import pytest

from marianne.daemon.output import ConsoleOutput, NullOutput, OutputProtocol, StructuredOutput


class Bus:
    """Keeps what is published."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, dict[str, Any]]] = []

    def publish(self, event: str, data: dict[str, Any]) -> None:
        self.heard.append((event, data))


def _tell(output: OutputProtocol) -> None:
    output.log("warning", "careful", where="here")
    output.sheet_event("j", 2, "failed", {"message": "exit code 3"})
    output.progress("j", 1, 2, 4.0)
    output.job_event("j", "completed")


def test_each_output_tells_the_same_in_its_own_way(capsys: pytest.CaptureFixture[str]) -> None:
    bus = Bus()
    _tell(StructuredOutput(event_bus=bus))
    assert [event for event, _ in bus.heard] == ["sheet.failed", "job.progress", "job.completed"]
    assert bus.heard[0][1]["sheet_num"] == 2
    _tell(NullOutput())
    assert capsys.readouterr() == ("", "")
    _tell(ConsoleOutput())
    assert capsys.readouterr().err.splitlines() == [
        "careful where=here",
        "j: sheet 2 failed: exit code 3",
        "j: 1 of 2 sheets, 4 s left",
        "j: completed",
    ]

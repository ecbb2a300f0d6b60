"""The three ways to tell what happens to a job."""

from __future__ import annotations

from typing import Any

import pytest

from marianne.daemon.output import ConsoleOutput, NullOutput, OutputProtocol, StructuredOutput
from marianne.daemon.shared import log


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
    output.job_event("j", "failed", {"error": "a sheet"})


def test_each_output_tells_the_same_in_its_own_way(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("_sink", None), ("_file", None), ("_early", [])):
        monkeypatch.setattr(log, name, value)
    bus = Bus()
    _tell(StructuredOutput(event_bus=bus))
    assert any("warning: careful" in line and "'here'" in line for line in log.early_lines())
    assert bus.heard == [
        ("sheet.failed", {"job_id": "j", "sheet_num": 2, "data": {"message": "exit code 3"}}),
        ("job.progress", {"job_id": "j", "completed": 1, "total": 2, "eta_seconds": 4.0}),
        ("job.failed", {"job_id": "j", "data": {"error": "a sheet"}}),
    ]
    _tell(NullOutput())
    assert capsys.readouterr() == ("", "")
    _tell(ConsoleOutput())
    assert capsys.readouterr().err.splitlines() == [
        "careful where=here",
        "j: sheet 2 failed: exit code 3",
        "j: 1 of 2 sheets, 4 s left",
        "j: failed: a sheet",
    ]


def test_what_a_program_wrote_cannot_drive_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    printed: list[str] = []

    class Console:
        def print(self, text: str, **_more: Any) -> None:
            printed.append(text)

    for output in (ConsoleOutput(), ConsoleOutput(Console())):
        output.sheet_event("j", 1, "failed", {"message": "\x1b]0;owned\x07a\r\nb\x9b2J"})
        output.log("info", "\x1b[2J", where="\x1bc")
    assert len(printed) == 2, "the console that is given is the one that is used"
    lines = [*capsys.readouterr().err.split("\n")[:-1], *printed]
    assert len(lines) == 4
    assert all(line.isprintable() for line in lines)
    assert lines[0] == lines[2] == "j: sheet 1 failed: \ufffd]0;owned\ufffda\ufffd b\ufffd2J"

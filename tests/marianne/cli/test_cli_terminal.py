"""No byte of a program's, a name's or a path's making drives the terminal that shows it."""

from __future__ import annotations

import json
import math
import os
import pty
import sys
import termios

import pytest

from marianne.cli.commands import output as output_module
from marianne.cli.render.out import note, print_json, say
from marianne.cli.render.table import columns
from marianne.cli.render.terminal import Pieces, harmless

DRIVES = [
    "\x1b]0;title\x07",
    "\x1b]52;c;ZXZpbA==\x07",
    "\x1b[2J\x1b[H",
    "\x1b[6n",
    "\x1bP+q544e\x1b\\",
    "\x9b2J",
    "\x08\x08\x08",
    "\rover",
    "\x1b[0;31",
    "\x7f",
]


@pytest.mark.parametrize("text", DRIVES)
def test_only_text_and_colours_come_through(text: str) -> None:
    shown = harmless(f"a {text} \x1b[1;31mred\x1b[0m\n")
    assert "\x1b[1;31mred\x1b[0m\n" in shown
    rest = shown.replace("\x1b[1;31m", "").replace("\x1b[0m", "").replace("\n", "")
    assert rest.isprintable()


def test_a_piece_may_end_anywhere() -> None:
    whole = "grün \x1b[32mok\x1b[0m\r\n\x1b]0;x\x07 ende".encode()
    want = Pieces().add(whole, last=True)
    for cut in range(len(whole) + 1):
        pieces = Pieces()
        parts = [pieces.add(whole[:cut]), pieces.add(whole[cut:]), pieces.add(b"", last=True)]
        assert "".join(parts) == want


@pytest.mark.parametrize("stream", ["out", "err"])
def test_a_line_for_people_is_harmless_whoever_wrote_it(
    stream: str, capfd: pytest.CaptureFixture[str]
) -> None:
    (say if stream == "out" else note)("name: \x1b]0;x\x07")
    sys.stdout.flush()
    told = capfd.readouterr()
    assert (told.out + told.err) == "name: \ufffd]0;x\ufffd\n"


def test_validate_of_a_name_that_drives_is_harmless(marianne, tmp_path) -> None:
    name = "a\x1b]0;x\x07.yaml"
    (tmp_path / name).write_text("name: a\nworkspace: ./w\nsheets:\n  - {name: a, run: 'true'}\n")
    told = marianne("validate", name)
    assert told.code == 0
    assert "\x1b" not in told.out + told.err


def test_output_to_a_terminal_is_filtered_and_to_a_pipe_as_it_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    controller, terminal = pty.openpty()
    with open(terminal, "w") as screen:
        monkeypatch.setattr(sys, "stdout", screen)
        output_module._for_a_terminal()(b"a\x1b]0;x\x07b", True)
        assert os.read(controller, 100).decode() == "a\ufffd]0;x\ufffdb"
    os.close(controller)


def test_json_has_no_number_that_json_has_not(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"a": [math.nan, 1.5], "b": {"c": -math.inf}})
    assert json.loads(capsys.readouterr().out, parse_constant=pytest.fail) == {
        "a": [None, 1.5],
        "b": {"c": None},
    }


@pytest.mark.parametrize(("said", "width"), [("50", 50), ("0", 33), ("wide", 33), (None, 33)])
def test_a_table_is_as_wide_as_the_terminal_or_as_columns_says(
    monkeypatch: pytest.MonkeyPatch, said: str | None, width: int
) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    if said is not None:
        monkeypatch.setenv("COLUMNS", said)
    controller, terminal = pty.openpty()
    termios.tcsetwinsize(terminal, (24, 33))
    with open(terminal, "w") as screen:
        monkeypatch.setattr(sys, "stdout", screen)
        assert columns() == width
    os.close(controller)

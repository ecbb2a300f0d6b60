"""Scripts are read by bash before they run: all of them, at once, and none is executed."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
from scorekit import load, problems

from marianne.score import shell_syntax
from marianne.score.script_lines import template_line
from marianne.score.shell_syntax import faults

BROKEN = {
    "echo 'a": 1,
    "if true; then\necho": 3,
    "echo\n}\necho\n{": 2,
    "echo\n)\n(": 2,
    "echo `a": 1,
    "fi": 1,
    "for i in 1 2; do\ndone": 2,
    "echo ${x": 1,
    "ls !(a)": 1,
    "cat <<E\nx": 1,
}
FINE = [
    "",
    "# nothing",
    "a \\",
    "echo ok }",
    "f() { echo; }\nf",
    "case x in a) echo;; esac",
    "cat <<'E'\n'\"`$(\nE\necho",
    "shopt -s extglob\nls !(a)",
    "shopt -s expand_aliases\nalias twice='for i in 1 2; do'\ntwice echo; done",
    "echo data follows\nexit 0\n((( ' here",
    "echo é \udce9",
]


def test_what_bash_cannot_read_is_found_among_many_with_its_line() -> None:
    scripts = [text for broken in BROKEN for text in (broken, *FINE)]
    found = faults(scripts)
    assert {scripts[index]: fault.line for index, fault in found.items()} == BROKEN
    assert [text for text in found if not found[text].hint] == []


def test_a_nul_is_a_fault_in_the_first_line_and_left_out_elsewhere() -> None:
    found = faults(["echo", "echo a\0b", "echo\necho 'a\0b'"])
    assert {index: (fault.line, fault.fatal) for index, fault in found.items()} == {
        1: (1, True),
        2: (2, False),
    }


def test_each_reads_as_bash_reads_it_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where bash takes no functions from its environment, or a script is too long for it."""
    together = faults([*BROKEN, *FINE])
    monkeypatch.setattr(shell_syntax, "MAX_SCRIPT", -1)
    assert faults([*BROKEN, *FINE]) == together
    monkeypatch.undo()
    monkeypatch.setattr(shell_syntax, "_CANARY", "fine} ; fine() { :")
    assert faults([*BROKEN, *FINE]) == together


@pytest.mark.parametrize(
    "text",
    ["touch {}", "$(touch {})", ")}}; touch {}; f() {{(", "}}\ntouch {}\nf() {{", "`touch {}`"],
)
def test_nothing_of_a_script_is_executed(tmp_path: Path, text: str) -> None:
    trace = tmp_path / "trace"
    for script in (text.format(trace), f"x=({text.format(trace)}", f"'{text.format(trace)}"):
        faults([script])
    assert not trace.exists()


def test_many_scripts_are_read_by_one_process(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[Any] = []
    run = subprocess.run

    def counted(*given: Any, **options: Any) -> Any:
        started.append(given)
        return run(*given, **options)

    monkeypatch.setattr(subprocess, "run", counted)
    assert faults([f"echo {number} > f" for number in range(2000)]) == {}
    assert len(started) == 1


def test_without_a_bash_nothing_is_said() -> None:
    assert faults(["fi"], search_path="/nowhere") == {}


@pytest.mark.parametrize(
    ("template", "rendered", "line", "found"),
    [
        ("a\n{{ x }}\nb\n", "a\n1\nb", 3, 3),
        ("a\n", "a", 2, 1),
        ("a\n{{ x }}\nb", "a\n1\n2\nb", 4, 3),
        ("a\n{{ x }}\nb", "a\n1\n2\nb", 3, None),
        ("{% for i in x %}\nb\n{% endfor %}\nc", "\nb\n\nb\n\nc", 6, 4),
        ("{% if x %}a{% endif %}\na\na", "\na\na", 2, None),
    ],
)
def test_the_line_of_the_template_is_told_where_it_is_sure(
    template: str, rendered: str, line: int, found: int | None
) -> None:
    assert template_line(template, rendered, line) == found


def test_a_script_is_read_as_it_is_once_earlier_sheets_have_run() -> None:
    head = "name: x\ncross_sheet: {auto_capture_stdout: true}\nsheets:\n  - {name: a, run: echo}\n"
    sheet = "  - {name: b, needs: [a], run: 'if {{ previous_outputs[1] }}; then echo; fi'}\n"
    load(head + sheet, shell=True)
    (found,) = problems(head + sheet.replace("fi'", "'"), shell=True)
    assert found.startswith("5:32: sheets[1].run: bash: ")


def test_a_here_document_without_an_end_is_warned_of() -> None:
    script = "    run: |\n      echo\n      cat <<E\n      a\n       E\n"
    (warning,) = load(f"name: x\nsheets:\n  - name: a\n{script}", shell=True).warnings
    assert warning.startswith("<stdin>:6: bash: the here-document that begins here has no end")


def test_only_who_asks_has_scripts_read() -> None:
    assert load("name: x\nsheets: [{name: a, run: fi}]").warnings == ()


def test_an_instrument_that_is_missing_here_is_named_once_with_its_line() -> None:
    text = "name: x\ninstrument: cli\nsheets:\n  - {name: a, run: echo}\n"
    text += "".join(f"  - {{name: b{n}, instrument: gemini-cli, prompt: hi}}\n" for n in (1, 2))
    (warning,) = load(text, search_path="/bin:/usr/bin").warnings
    assert warning.startswith("<stdin>:5: the instrument 'gemini-cli' is unavailable: ")
    assert "not installed" in warning

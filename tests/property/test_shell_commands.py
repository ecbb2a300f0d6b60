"""Whatever a script is: it is cut into commands, or said to be none that is followed."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marianne.score.shell_commands import pipelines
from marianne.score.shell_places import places
from marianne.score.shell_tokens import UnsureError
from marianne.score.shell_traps import traps

PIECES = [
    *"'\"`$(){}[]|&;<>\\\n #=!*?",
    *["if", "then", "fi", "for", "in", "do", "done", "while", "case", "esac", "x", "yes", "head"],
    *["$(", "${", "((", "))", "&&", "||", ";;", "<<E", "\nE\n", "[[", "]]", "f()", "grep", "-n $"],
    *["{{ v }}", "n=0", "((n++))", "| wc", "2>&1", "x='a b'", "cd $x"],
]
SCRIPTS = st.lists(st.sampled_from(PIECES), max_size=40).map(" ".join) | st.lists(
    st.sampled_from(PIECES), max_size=40
).map("".join)


@given(SCRIPTS)
def test_any_text_is_followed_or_not(script: str) -> None:
    try:
        for found in pipelines(script):
            assert found.commands
            assert all(command.text in script for command in found.commands)
            assert 1 <= found.line <= found.last_line <= script.count("\n") + 1
    except UnsureError:
        assert traps(script) == []
    traps(script)
    places(script, "v")


@pytest.mark.parametrize(
    "piece",
    [
        "(",
        "((",
        "$(",
        '"$(',
        "${",
        "{ ",
        "if x; then ",
        "f() {",
        "$((",
        "a|",
        "x=(",
        "<(",
        "`",
        "<<E ",
    ],
)
@pytest.mark.timeout(60)  # what takes longer than a line for each of its characters takes hours
def test_a_hostile_script_takes_no_time(piece: str) -> None:
    for script in (piece * 20_000, piece * 20_000 + "\n" + ")" * 20_000):
        with suppress(UnsureError):
            pipelines(script)

"""A script is cut into commands as bash cuts it, or not at all."""

from __future__ import annotations

import subprocess

import pytest

from marianne.score.shell_commands import Pipeline, pipelines
from marianne.score.shell_tokens import UnsureError, tokens


def texts(script: str) -> list[list[str]]:
    return [[command.text for command in found.commands] for found in pipelines(script)]


@pytest.mark.parametrize(
    ("script", "found"),
    [
        ('a \'b | c\' "$(d | e ")")" # | f', [['a \'b | c\' "$(d | e ")")"']]),
        ("a | b |\n c", [["a", "b", "c"]]),
        ("a |& b; c & d", [["a", "b"], ["c"], ["d"]]),
        ("a && b || c", [["a"], ["b"], ["c"]]),
        ("a=1 b=(x y) c >f 2>&1", [["a=1 b=(x y) c >f 2>&1"]]),
        ("cat <<E | sort\nx | y '\nE\nb", [["cat <<E", "sort"], ["b"]]),
        ("cat <<-'E'\n\tx ' y\n\tE\nb", [["cat <<-'E'"], ["b"]]),
        ("for i in a b; do c | d; done | e", [["c", "d"], ["for i in a b; do c | d; done", "e"]]),
        ("for ((i=0; i<3; i++)); do a; done", [["a"], ["for ((i=0; i<3; i++)); do a; done"]]),
        (
            "case $x in a|b) c;; *) d | e;; esac",
            [["c"], ["d", "e"], ["case $x in a|b) c;; *) d | e;; esac"]],
        ),
        ("f() { a | b; }\nf", [["a", "b"], ["f"]]),
        ("(a | b) > c", [["a", "b"], ["(a | b) > c"]]),
        ("a \\\n  b | c", [["a \\\n  b", "c"]]),
        (
            "[[ a && b ]] && ((i++ | 1)); x=$((1 | 2))",
            [["[[ a && b ]]"], ["((i++ | 1))"], ["x=$((1 | 2))"]],
        ),
        ("diff <(a | b) >(c)", [["diff <(a | b) >(c)"]]),
        (
            "echo a#b ${x:-'|'} ${#y[@]} {1,2} $'\\'|' `a | b`",
            [["echo a#b ${x:-'|'} ${#y[@]} {1,2} $'\\'|' `a | b`"]],
        ),
        ("time a | b\n! c", [["a", "b"], ["c"]]),
        ("", []),
    ],
)
def test_a_script_is_cut_as_bash_cuts_it(script: str, found: list[list[str]]) -> None:
    assert subprocess.run(["bash", "-n"], input=script, text=True, check=False).returncode == 0
    assert texts(script) == found


@pytest.mark.parametrize(
    "script",
    [
        "ls !(a)",
        "x=$(case a in a) b;; esac)",
        "echo 'a",
        "echo $(a",
        "cat <<E\nx",
        "function f { a; }",
        "if a; then b",
        "fi",
        "a )",
        ";; esac",
        "if a; then b;; esac",
        "[[ a =~ (b|c) ]] | d >",
        "coproc a",
    ],
)
def test_what_is_not_followed_is_said(script: str) -> None:
    with pytest.raises(UnsureError):
        pipelines(script)


def test_a_token_has_its_line() -> None:
    assert [
        (token.text, token.line) for token in tokens("a 'b\nc'\nd") if token.kind == "word"
    ] == [("a", 1), ("'b\nc'", 1), ("d", 3)]


def by_name(script: str) -> dict[str, Pipeline]:
    return {found.commands[0].text: found for found in pipelines(script)}


def test_what_nothing_ends_for_is_known() -> None:
    found = by_name(
        "if a; then b; elif c; then d; else e; fi\nwhile f; do g; done\n! h\ni && j || k\n"
        "l &\nif m | n; (o); then p; fi\n{ q; } || r\ns && t\n"
    )
    ends = {name for name, one in found.items() if not one.tested and len(name) == 1}
    assert ends == set("bdegkprt")
    assert found["q"].inside
    assert not found["b"].inside


def test_a_function_and_a_group_are_known() -> None:
    found = by_name("f() { a; }\n(b)\nfor i in x; do c; done")
    assert [found[name].inside for name in "abc"] == [True, True, False]

"""What is sure to end a strict script against its author's will is warned of; nothing else is."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from scorekit import load

from marianne.score.shell_traps import traps

ENDS = [
    ("true\nyes | head -n 1", 2, "SIGPIPE"),
    ("tr -dc a-z < /dev/urandom | head -c 8", 1, "SIGPIPE"),
    ("x=$(cat /dev/urandom | tr -dc a-z | head -c 8)", 1, "SIGPIPE"),
    ("for i in 1 2; do\n  yes $i | head -n 1 > f\ndone", 2, "SIGPIPE"),
    ("grep nosuchuser /etc/passwd | wc -l", 1, "finds nothing"),
    ("n=$(grep nosuchuser /etc/passwd | sort | wc -l)\necho $n", 1, "finds nothing"),
    ('n="$(grep -c nosuchuser /etc/passwd)"', 1, "counts 0"),
    ("n=0\nfor f in a b; do\n  ((n++))\ndone", 3, "fails while n is 0"),
]


@pytest.mark.parametrize(("script", "line", "words"), ENDS)
def test_a_trap_is_named_and_is_one(tmp_path: Path, script: str, line: int, words: str) -> None:
    (trap,) = traps(script)
    assert (trap.line, words in trap.message) == (line, True)
    strict = ["bash", "-eu", "-o", "pipefail", "-c", script]
    done = subprocess.run(strict, cwd=tmp_path, capture_output=True, check=False)
    assert done.returncode in (1, 141)


@pytest.mark.parametrize(
    "script",
    [
        "yes | head -n 1 || true",
        "if yes | head -n 1; then :; fi",
        "{ yes || true; } | head -n 1",
        "set +o pipefail\nyes | head -n 1",
        "f() { yes | head -n 1; }\nf || true",
        "( yes | head -n 1 ) || true",
        "for i in 1 2; do yes | head -n 1; done || true",
        "! if true; then yes | head -n 1; fi",
        "true; while true; do for i in 1; do yes | head -n 1; done; break; done && echo",
        "seq 1 100000 | head -n 1",
        "yes | cat",
        "head -c 8 /dev/urandom | base64",
        "grep x f | sort",
        "! grep x f | wc -l",
        "n=$(grep -c x f || true)",
        "local n=$(grep -c x f)",
        "grep -c x f",
        "n=1; ((n++))",
        "n=0; n=5; ((n++))",
        "n=0; ((n++)) || true",
        "n=0; while ((n++ < 3)); do :; done",
        "echo 'yes | head' # yes | head",
        "cat <<E\nyes | head -n 1\nE",
        "ls !(yes) | head; yes | head",
        "x='a b'; echo $x; cat $x; for i in $x; do :; done",
        'x=\'a b\'; cd "$x"; [ "$x" = y ] && echo > "$x"',
        "x='a b'; x=c; cd $x",
        "x='a b'; read -r x; cd $x",
        '[ -n "$x" ]; [ -z $x ]; [[ -n $x ]]',
    ],
)
def test_what_is_no_trap_or_not_sure_is_left_alone(script: str) -> None:
    assert traps(script) == []


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("[ -n $x ]", 'write [ -n "$x" ]'),
        ("if test -n ${x}; then :; fi", "is true for an empty ${x} too"),
        ("x='my files'\ncd $x", "$x is 'my files', several words here; write \"$x\""),
        ('x="a b"\necho > $x', "several words"),
        ('x="a b"\nif [ $x = y ]; then :; fi', "several words"),
    ],
)
def test_a_variable_that_is_sure_to_need_quotes_is_named(script: str, words: str) -> None:
    (trap,) = traps(script)
    assert words in trap.message


def test_a_score_is_warned_of_with_its_line_and_only_where_scripts_are_strict() -> None:
    script = "|\n      true\n      yes {{ word }} | head -n 1\n"
    head = "name: x\nvariables: {word: y}\nsheets:\n  - name: a\n"
    (warning,) = load(f"{head}    run: {script}", shell=True).warnings
    assert warning.startswith("<stdin>:7: `yes` is ended by SIGPIPE")
    assert "{ yes y || true; } | head" in warning
    loose = f"{head}    instrument: cli\n    prompt: {script}"
    assert load(loose, shell=True).warnings == ()
    assert load(f"{head}    run: {script}").warnings == (), "who submits is not kept waiting"

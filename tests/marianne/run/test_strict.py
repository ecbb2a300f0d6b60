"""A strict script says which command ended it, and does nothing else than it would do anyway."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from marianne.instruments.planned import from_profile
from marianne.instruments.registry import Registry
from marianne.model.plan import Prompt
from marianne.run.outputs import Files
from marianne.run.strict import IN_FUNCTIONS, PRELUDE, Cause, Trapped, find_cause, reason, watched
from marianne.score.script_lines import Script

STRICT = ["bash", "-eu", "-o", "pipefail"]


class Stage:
    """A script, run as a sheet is."""

    def __init__(self, place: Path) -> None:
        (place / "sheets").mkdir()
        self.files = Files(str(place), 1, 1)

    def run(self, script: str, *, watch: bool = True) -> subprocess.CompletedProcess[str]:
        Path(self.files.prompt).write_text(script)
        env = dict(os.environ)
        if watch:
            env |= watched(instrument("shell"), env, script)
        return subprocess.run(
            [*STRICT, self.files.prompt],
            env=env,
            cwd=os.path.dirname(self.files.prompt),
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            check=False,
        )

    def reason(self, script: str, line: int = 1, template: str | None = None) -> str:
        done = self.run(script)
        prompt = Prompt(script if template is None else template, script=True, line=line)
        return reason(self.files, done.returncode, Script(prompt, "/s/x.yaml"), done.stderr)


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("echo\ngrep x /dev/null\n", " from `grep x /dev/null` (x.yaml:2)"),
        ("grep x \\\n /dev/null", " from `grep x /dev/null` (x.yaml:1)".replace("x /", "x \\ /")),
        ("echo a |\n grep x |\n sort >f", " from `grep x` (x.yaml:2; pipefail is on)"),
        ("echo a | grep x", " from `grep x` (x.yaml:1)"),
        ("yes | head -n 1", ": `yes` was ended by SIGPIPE (x.yaml:1; pipefail is on)"),
        ("true\nx=$(false)", " from `x=$(false)` (x.yaml:2)"),
        ("for i in 1 2; do\n  grep $i /dev/null\ndone", " from `grep $i /dev/null` (x.yaml:2)"),
        ("( true\n exit 4 )", " from `( true exit 4 )` (x.yaml:1)"),
        ("( false\n echo never )", " from `( false echo never )` (x.yaml:1)"),
        ("(cd /; false)", " from `(cd /; false)` (x.yaml:1)"),
        (
            "echo false > lib.sh\nprintf 'true\\nfalse\\n' > lib.sh; . ./lib.sh",
            " from `false` (lib.sh:2)",
        ),
        ("true\neval $'true\\n\\n\\nfalse'", " from `false`"),
        ("set +o pipefail\nfalse | cat\nsh -c 'exit 9'", " from `sh -c 'exit 9'` (x.yaml:3)"),
        ("bash -c 'kill -9 $$'", ": `bash -c 'kill -9 $$'` was ended by SIGKILL (x.yaml:1)"),
        ("if true; then\n  [[ a == b ]]\nfi", " from `[[ a == b ]]` (x.yaml:2)"),
        ("f() { return 4; }\nf", " from `f` (x.yaml:2)"),
        ("f() {\n  false\n}\nf", " from `false` (x.yaml:2)"),
        (
            "f() {\n  local x\n  x=$(false)\n  echo\n}\ng() { f; }\ng",
            " from `x=$(false)` (x.yaml:3)",
        ),
        (
            "f() {\n yes |\n head -n 1\n}\nf",
            ": `yes` was ended by SIGPIPE (x.yaml:2; pipefail is on)",
        ),
        ("f() { false; }\nx=$(f)", " from `x=$(f)` (x.yaml:2)"),
        ("function f { false; }\nf", " from `false` (x.yaml:1)"),
        ("cat <<E | grep x\na\nE\n", " from `grep x` (x.yaml:1)"),
        ("set -C; exec 2>&-; false", " from `false` (x.yaml:1)"),
        ("true; false", " from `false` (x.yaml:1)"),
        ("ls !(a) 2>/dev/null\n", ""),
    ],
)
def test_the_command_that_ended_a_script_is_named(stage: Stage, script: str, words: str) -> None:
    assert stage.reason(script) == words
    assert not os.path.exists(stage.files.trap)


@pytest.mark.parametrize(
    "script",
    [
        "exit 3",
        "f() { false; }; echo $- > /dev/null; f",
        "f() { false; }; eval f",
        "set +o pipefail; { false; true; } | cat; exit 1",
        "f() { true; }; set +o pipefail; { false; true; } | cat; (set +e; false; exit 0); exit 1",
        "trap 'echo mine' ERR; false",
        "trap - ERR; false",
        "trap 'exit 5' EXIT; false",
        "set +e; false; false",
        "set +e; false; exit 1",
        "kill -TERM $$",
        "echo $nobody",
        "true",
        "if false; then :; fi; ! true || true; false || true",
    ],
)
def test_where_it_is_not_sure_nothing_is_said(stage: Stage, script: str) -> None:
    assert stage.reason(script) == ""


def test_a_place_that_bash_names_is_not_named_twice(stage: Stage) -> None:
    done = stage.run("true\nnosuchcommand")
    script = Script(Prompt("true\nnosuchcommand", script=True, line=7), "/s/x.yaml")
    said = script.named(done.stderr, stage.files.prompt, "true\nnosuchcommand")
    assert said == "x.yaml:8: nosuchcommand: command not found\n"
    assert reason(stage.files, 127, script, said) == " from `nosuchcommand`"


def test_the_line_is_that_of_the_score_where_it_is_sure(stage: Stage) -> None:
    template = "{% for i in 'ab' %}\necho {{ i }}\n{% endfor %}\nfalse"
    script = "\necho a\n\necho b\n\nfalse"
    assert stage.reason(script, 10, template) == " from `false` (x.yaml:13)"
    assert stage.reason(script, 10, "{{ x }}") == " from `false` (line 6 of the script)"
    assert stage.reason(script, 0) == " from `false` (line 6 of the script)"
    stage.run("false")
    said = reason(stage.files, 1, Script(Prompt("false", script=True, line=3), None))
    assert said == " from `false` (line 3 of the score)"


def test_a_secret_and_a_long_command_are_not_told_whole(stage: Stage) -> None:
    said = stage.reason("false --token=ghp_0123456789012345678901234567890123456789")
    assert "ghp_" not in said
    assert len(stage.reason(f"false {'x' * 500}")) < 120


@pytest.mark.parametrize(
    ("trapped", "script", "cause"),
    [
        (Trapped(1, 1, (1, 0), "b"), "a | b; c | d", Cause(None, 1, hidden=True)),
        (Trapped(1, 1, (0, 1), "b"), "a | b; c | d", Cause("b", 1)),
        (Trapped(1, 9, (0, 1), "b"), "a | b; c | d", Cause("b", None)),
        (Trapped(1, 1, (0, 0), "b"), "a | b", Cause(None, None)),
        (Trapped(1, 9, (1,), "b"), "a", Cause("b", None)),
        (Trapped(1, 1, (1,), ""), "a; b", Cause(None, None)),
        (Trapped(1, 1, (1,), "a 1"), "a  1; ls !(x)", Cause("a 1", 1)),
    ],
)
def test_a_command_is_named_only_where_there_is_one(
    trapped: Trapped, script: str, cause: Cause
) -> None:
    assert find_cause(trapped, script) == cause


SAME = [
    "f() { false; }; trap 'echo exit $? $BASH_COMMAND' EXIT; f",
    'f() { false; echo in; }; if f; then :; fi; f || :; ! f; x=$(f); echo "$x"; (f) && echo; f',
    "f() { [ $1 = 3 ] && return 5; f $(($1 + 1)); }; f 0",
    "f() { set +e; false; echo $? $_ ${PIPESTATUS[*]}; set -e; }; f; f | cat; declare -F",
    "f() { exit 3; }; f",
    "f() { set -- a b; false; }; trap 'echo usr; exit 9' USR1; kill -USR1 $$; f",
    "f() { trap 'echo return' RETURN; false; }; f",
    "f() { caller; false | cat; }; f",
    "echo $- $0 $BASH_SUBSHELL $# ${BASH_SOURCE[0]} $LINENO $SHELLOPTS $BASHOPTS; env | sort",
    "declare -f; alias; set | grep -v 'RANDOM\\|SECONDS\\|EPOCH\\|PID\\|BASH_ARGC\\|BASH_ENV'",
    "set +e; false; echo $_ $? ${PIPESTATUS[*]}; false | true | false; echo ${PIPESTATUS[*]} $_",
    "x() { return 3; }; set +e; x a; echo $? $_",
    "trap 'echo exit $? $BASH_COMMAND ${PIPESTATUS[*]}' EXIT; false | cat",
    "trap 'echo err $? $LINENO' ERR; f() { false; }; f",
    "set -E; trap 'echo err $? $BASH_COMMAND' ERR; f() { false; }; f",
    "trap 'echo term' TERM; kill -TERM $$; echo after; false",
    "set -x; echo a; false",
    "( set +e; false; echo in ); ( false ) || echo no; (exit 3)",
    "x=$(false; echo b); echo $x; x=$(exit 4)",
    "mapfile -t a < <(false); echo ${#a[@]}; false | { cat; exit 9; }",
    "bash -c 'false; echo in $BASH_ENV; trap -p'; bash -c 'false | cat; exit 6'",
    "f() { local x; x=$(false); echo not; }; f",
    "printf 'a\\nb\\n' | while read -r l; do [ $l = a ]; done",
    "set -T; trap 'echo r' RETURN; f() { :; }; f; source /dev/stdin <<< false",
    "set -o posix; eval false",
    "readonly q=1; q=2",
    "cd /; umask 777; exec 2>&-; false",
    "exec bash -c 'exit 8'",
]


@pytest.mark.parametrize("script", SAME)
def test_a_script_does_the_same_as_without(stage: Stage, script: str) -> None:
    alone, watched_ = stage.run(script, watch=False), stage.run(script)
    for stream in ("returncode", "stdout", "stderr"):
        assert getattr(watched_, stream) == getattr(alone, stream)


@pytest.mark.timeout(30)
def test_a_pipe_where_the_record_should_be_is_not_waited_for(stage: Stage) -> None:
    assert stage.reason('rm -f x; mkfifo "${0%.prompt}.trap"; exit 1') == ""


def test_a_script_without_a_failure_writes_nothing(stage: Stage) -> None:
    stage.run("set +e; false; for i in 1 2 3; do false; done; true")
    assert not os.path.exists(stage.files.trap)


def instrument(name: str) -> Any:
    profile = Registry.load().get(name)
    assert profile is not None
    return from_profile(profile, None, {}, None)


def test_who_has_a_way_of_its_own_keeps_it() -> None:
    shell = instrument("shell")
    assert watched(shell, {"PATH": "/bin"}, "true") == {"BASH_ENV": PRELUDE}
    assert watched(shell, {}, "f() { true; }; f") == {"BASH_ENV": IN_FUNCTIONS}
    for name in ("BASH_ENV", "POSIXLY_CORRECT", "SHELLOPTS"):
        assert watched(shell, {name: "x"}, "true") == {}
    assert watched(instrument("claude-code"), {}, "true") == {}


@pytest.mark.parametrize("data", [b"", b"1\0x\0\0\0", b"1", b"\xff\0\0", b"1\x002\x001\0false\0%s"])
def test_what_is_no_record_is_nothing(stage: Stage, data: bytes) -> None:
    Path(stage.files.prompt).write_text("true\nfalse")
    Path(stage.files.trap).write_bytes(data.replace(b"%s", stage.files.prompt.encode()))
    script = Script(Prompt("true\nfalse", script=True, line=1), "/s/x.yaml")
    assert reason(stage.files, 1, script) == (
        " from `false` (x.yaml:2)" if b"false" in data else ""
    )

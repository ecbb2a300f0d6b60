"""Each built-in agent against a stub that speaks its program's output format."""

from __future__ import annotations

import os
import stat
import subprocess
from pathlib import Path

import pytest

from marianne.instruments.command import build_command
from marianne.instruments.output import diagnose, read_output
from marianne.instruments.planned import from_profile
from marianne.instruments.probe import probe
from marianne.instruments.registry import BUILTIN, NO_PROGRAM, Registry, why_unavailable

REGISTRY = Registry.load()

# name: (stdout of a run that says "done", arguments that must be there, usage, where the prompt is)
SPEAKS = {
    "claude-code": (
        '{"type":"result","subtype":"success","is_error":false,"result":"done",'
        '"total_cost_usd":0.25,"usage":{"input_tokens":7,"output_tokens":3}}',
        ["--print", "--dangerously-skip-permissions", "--output-format json", "--model m"],
        {"input_tokens": 7, "output_tokens": 3, "cost_usd": 0.25},
        "stdin",
    ),
    "gemini-cli": (
        'Loaded cached credentials.\n{"response":"done","stats":{"models":{"a":{"tokens":'
        '{"prompt":5,"candidates":2}},"b":{"tokens":{"prompt":2,"candidates":1}}}}}',
        ["--yolo", "--output-format json", "--model m"],
        {"input_tokens": 7, "output_tokens": 3},
        "stdin",
    ),
    "codex-cli": (
        '{"type":"thread.started","thread_id":"t"}\n'
        '{"type":"item.completed","item":{"type":"agent_message","text":"on it"}}\n'
        '{"type":"turn.completed","usage":{"input_tokens":4,"output_tokens":1}}\n'
        '{"type":"item.completed","item":{"type":"command_execution","command":"ls"}}\n'
        '{"type":"item.completed","item":{"type":"agent_message","text":"done"}}\n'
        '{"type":"turn.completed","usage":{"input_tokens":3,"output_tokens":2}}',
        ["exec", "--json", "--model m", "--cd /w", "- --skip-git-repo-check"],
        {"input_tokens": 7, "output_tokens": 3},
        "stdin",
    ),
    "opencode": (
        '{"type":"text","part":{"type":"text","text":"done"}}\n'
        '{"type":"step_finish","part":{"tokens":{"input":7,"output":3},"cost":0.5}}',
        ["run", "--format json", "--model m"],
        {"input_tokens": 7, "output_tokens": 3, "cost_usd": 0.5},
        "stdin",
    ),
    "cline-cli": (
        '{"type":"say","say":"text","text":"on it"}\n'
        '{"type":"say","say":"completion_result","text":"done"}',
        ["--yolo", "--json", "--model m"],
        {},
        "stdin",
    ),
    "goose": ("done", ["run", "--no-session", "--model m", "--instructions"], {}, "file"),
    "crush": ("done", ["run --quiet", "--model m"], {}, "stdin"),
    "aider": ("done", ["--yes-always", "--message-file", "--no-stream"], {}, "file"),
}


def test_every_built_in_agent_is_tried_here() -> None:
    files = {path.stem for path in BUILTIN.glob("*.yaml")}
    assert files == set(SPEAKS) | {"shell", "cli"}
    assert REGISTRY.problems == []


@pytest.mark.slow
@pytest.mark.parametrize("name", SPEAKS)
def test_an_agent_is_called_and_read_as_documented(name: str, tmp_path: Path) -> None:
    said, arguments, usage, via = SPEAKS[name]
    profile = REGISTRY.get(name)
    assert profile is not None
    assert profile.cli is not None
    (tmp_path / "said").write_text(said)
    stub = tmp_path / profile.cli.command.executable
    stub.write_text(
        f'#!/bin/bash\necho "$*" > {tmp_path}/args\ncat > {tmp_path}/stdin\ncat {tmp_path}/said\n'
    )
    stub.chmod(stub.stat().st_mode | stat.S_IXUSR)
    environ = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    assert why_unavailable(profile, environ["PATH"]) is None
    prompt = tmp_path / "prompt"
    prompt.write_text("the prompt")
    instrument = from_profile(profile, "m")
    command = build_command(instrument, "the prompt", str(prompt), 60, "/w")
    with open(command.stdin_path or os.devnull) as stdin:
        done = subprocess.run(
            command.argv, stdin=stdin, capture_output=True, text=True, env=environ, check=True
        )
    given = (tmp_path / "args").read_text()
    assert all(argument in given for argument in arguments), given
    assert (tmp_path / "stdin").read_text() == ("the prompt" if via == "stdin" else "")
    assert (str(prompt) in given) == (via == "file")
    reading = read_output(instrument, done.stdout)
    assert (reading.text.strip(), reading.usage) == ("done", usage)
    assert reading.error is None


@pytest.mark.parametrize("name", sorted(set(SPEAKS)))
@pytest.mark.parametrize(
    ("stderr", "category", "retry", "wait"),
    [
        ("Error 429: Too Many Requests, retry after 30s", "rate_limit", True, 30),
        ("You've hit your usage limit. Try again in 1 hour 5 minutes.", "rate_limit", True, 3900),
        ("rate limit reached", "rate_limit", True, None),
        ("Invalid API key", "auth", False, None),
        ("FATAL: heap out of memory", "crash", True, None),
        ("the request timed out", "timeout", True, None),
        ("server overloaded", "capacity", True, None),
    ],
)
def test_failures_are_told_apart_by_the_error_stream(
    name: str, stderr: str, category: str, retry: bool, wait: float | None
) -> None:
    profile = REGISTRY.get(name)
    assert profile is not None
    found = diagnose(from_profile(profile), stderr)
    assert found is not None
    assert (found.category, found.retry, found.wait) == (category, retry, wait)


def test_a_shell_that_prints_permission_denied_is_a_plain_failure() -> None:
    profile = REGISTRY.get("shell")
    assert profile is not None
    assert diagnose(from_profile(profile), "bash: x: Permission denied (401)") is None


def test_an_error_that_the_program_reports_itself_is_a_failure() -> None:
    profile = REGISTRY.get("claude-code")
    assert profile is not None
    instrument = from_profile(profile)
    reading = read_output(instrument, '{"is_error":true,"result":"usage limit reached"}')
    assert reading.error is not None
    found = diagnose(instrument, "", reading)
    assert found is not None
    assert found.category == "rate_limit"


def test_names_without_a_program_are_known() -> None:
    assert set(NO_PROGRAM) <= set(REGISTRY.names())
    claude = REGISTRY.get("claude_cli")
    assert claude is not None
    assert claude.name == "claude-code"


def test_a_probe_says_what_is_missing_and_starts_nothing() -> None:
    profile = REGISTRY.get("aider")
    assert profile is not None
    found = probe(profile, {"PATH": "/nowhere"})
    assert (found.available, found.executable) == (False, None)
    assert found.reason == "the program 'aider' is not installed"
    assert found.command[0] == "aider"

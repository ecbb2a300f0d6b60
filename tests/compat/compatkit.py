"""Running a score to its end and reading what became of it."""

from __future__ import annotations

import json
import subprocess
import textwrap
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

Run = Callable[..., "subprocess.CompletedProcess[str]"]

HEAD = "name: x\nsheet: {size: 1, total_items: 1}\n"

# Prints its prompt's lines that begin with SAY, does those that begin with DO, and answers in
# JSON with its use of tokens.
AGENT = """
import json, os, subprocess, sys
prompt = sys.stdin.read()
said = [line[4:] for line in prompt.splitlines() if line.startswith("SAY ")]
code = 0
for line in prompt.splitlines():
    if line.startswith("DO "):
        code = subprocess.run(["bash", "-c", line[3:]], stdin=subprocess.DEVNULL).returncode or code
model = sys.argv[sys.argv.index("--model") + 1] if "--model" in sys.argv else None
usage = {"input": 1000, "output": 100, "cost": 0.75} if "--dear" in sys.argv else \\
    {"input": 1000, "output": 100}
print(json.dumps({"answer": " ".join(said) or "done", "model": model, "usage": usage}))
sys.exit(code)
"""

OUTPUT = (
    "{format: json, result_path: answer, input_tokens_path: usage.input, "
    "output_tokens_path: usage.output, cost_path: usage.cost}"
)


def until(condition: Callable[[], Any], seconds: float = 60.0) -> Any:
    """The condition's first true value; fails when it does not come in time."""
    pause = threading.Event()
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, "waited too long"
        pause.wait(0.05)
    return value


class Score:
    """A score that is written beside instruments of its own, and played."""

    def __init__(self, marianne: Run, place: Path, name: str) -> None:
        self.marianne = marianne
        self.place = place
        self.job = name.removeprefix("test_").replace("_", "-")[:50].strip("-")
        self.workspace = place / self.job
        self.path = place / "score.yaml"

    def write(self, text: str) -> Path:
        self.path.write_text(textwrap.dedent(text))
        return self.path

    def agent(
        self, name: str, extra: str = "", executable: str | None = None, *, structured: bool = True
    ) -> None:
        """An instrument of the score's directory that plays as AGENT says.

        ``structured`` False: what it prints is taken as it is.
        """
        folder = self.place / ".marianne" / "instruments"
        folder.mkdir(parents=True, exist_ok=True)
        program = self.place / "agent.py"
        program.write_text(f"#!/usr/bin/env python3\n{AGENT}")
        program.chmod(0o755)
        (folder / f"{name}.yaml").write_text(
            f"name: {name}\n"
            f"cli:\n  command: {{executable: {executable or program}, model_flag: --model}}\n"
            f"  output: {OUTPUT if structured else '{format: text}'}\n"
            "  errors: {rate_limit_patterns: ['rate limit', 'quota'],"
            " auth_error_patterns: ['no login']}\n" + extra
        )

    def submit(self, text: str, *options: str, job: str | None = None) -> str:
        job = job or self.job
        done = self.marianne(
            "run", self.write(text), "--workspace", self.workspace, "--id", job, *options
        )
        assert done.returncode == 0, (done.stdout, done.stderr)
        return job

    def play(self, text: str, *options: str, code: int = 0, job: str | None = None) -> Any:
        """Plays the score to its end; what ``status --json`` says of it."""
        job = self.submit(text, *options, job=job)
        return self.wait(job, code=code)

    def wait(self, job: str | None = None, *, code: int = 0) -> Any:
        waited = self.marianne("wait", job or self.job, "--timeout", "60")
        found = self.status(job)
        assert waited.returncode == code, (waited.stdout, waited.stderr, found)
        return found

    def status(self, job: str | None = None) -> Any:
        return json.loads(self.marianne("status", job or self.job, "--json").stdout)

    def prompt(self, num: int, attempt: int | None = None) -> str:
        """What the sheet was given."""
        which = ["--attempt", str(attempt)] if attempt else []
        return self.marianne("output", self.job, str(num), "--prompt", *which).stdout


def play(marianne: Run, score: Path, workspace: Path, *, code: int = 0) -> dict[str, Any]:
    """Runs a score to its end, which is ``code``; returns what ``status --json`` says of it."""
    job = workspace.name.replace("_", "-")
    ran = marianne("run", score, "--workspace", workspace, "--id", job, "--wait")
    status = marianne("status", job, "--json")
    assert ran.returncode == code, (ran.stdout, ran.stderr, status.stdout)
    found: dict[str, Any] = json.loads(status.stdout)
    assert found["status"] == ("completed" if code == 0 else "failed")
    return found

"""A repository, a job that works in a worktree of it, and its steps, which can be killed."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

from marianne.instruments.registry import Registry
from marianne.model.plan import Plan
from marianne.score.load import load_plan

SHIM = """#!/bin/bash
# Counts the calls of git; kills the script that makes the one that is ordered, before or after it.
read -r n < "$COUNT"; echo $((n + 1)) > "$COUNT"
[ "$n:before" != "$KILL" ] || { kill -KILL 0; sleep 60; }
/usr/bin/git "$@"; code=$?
[ "$n:after" != "$KILL" ] || { kill -KILL 0; sleep 60; }
exit $code
"""


class Repo:
    """A repository with a branch of work, and a score whose job works in a worktree of it."""

    def __init__(self, place: Path, after: str) -> None:
        self.place, self.path = place, place / "repo"
        self.path.mkdir()
        self.git("init", "--quiet", "-b", "main")
        self.git("config", "user.email", "t@t")
        self.git("config", "user.name", "t")
        self.commit("base", "one")
        self.git("branch", "work")
        self.tree = place / "repo.worktrees" / "job"
        text = f"name: j\nworkspace: {{worktree: repo, ref: work, after: {after}}}\n"
        self.text = text + "sheets: [{name: a, run: 'true'}]\n"
        scripts = {sheet.name: sheet.prompt.template for sheet in self.plan().sheets}
        self.begin, self.end = (
            scripts.get(name, "").replace("{% raw %}", "").replace("{% endraw %}", "")
            for name in ("worktree", "worktree-end")
        )
        shim = place / "bin" / "git"
        shim.parent.mkdir()
        shim.write_text(SHIM)
        shim.chmod(0o755)

    def plan(self) -> Plan:
        return load_plan(
            None,
            self.text,
            base_dir=str(self.place),
            workspace=None,
            variables={},
            instruments=Registry.load("/none"),
        )

    def git(self, *words: str, where: Path | None = None) -> str:
        done = subprocess.run(
            ["git", "-c", "user.email=t@t", "-c", "user.name=t", *words],
            cwd=where or self.path,
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout.strip()

    def commit(self, name: str, text: str, where: Path | None = None) -> None:
        ((where or self.path) / name).write_text(text)
        self.git("add", "-A", where=where)
        self.git("commit", "--quiet", "-m", name, where=where)

    def step(self, script: str, kill: str = "", owner: str = "home") -> tuple[int, str]:
        """One run of a step: how it ended, and what it said."""
        (self.place / "count").write_text("0\n")
        env = {**os.environ, "PATH": f"{self.place}/bin:{os.environ['PATH']}", "KILL": kill}
        env |= {"COUNT": str(self.place / "count"), "MARIANNE_JOB_ID": "job"}
        env |= {
            "MARIANNE_OWNER": owner,
            "MARIANNE_SHEET": "3",
            "MARIANNE_WORKSPACE": str(self.tree),
        }
        done = subprocess.run(
            ["bash", "-eu", "-o", "pipefail", "-c", script],
            cwd="/",
            env=env,
            capture_output=True,
            text=True,
            start_new_session=True,
            check=False,
        )
        return done.returncode, done.stdout + done.stderr

    def moments(self, script: str) -> Iterator[str]:
        """Before and after each call of git that the step makes, as it is now."""
        calls = 0
        while True:
            for when in ("before", "after"):
                code, _ = self.step(script, f"{calls}:{when}")
                if code != -9:
                    return
                yield f"{calls}:{when}"
            calls += 1

    def locks(self) -> list[Path]:
        return [path for path in (self.path / ".git").rglob("*.lock") if path.is_file()]

    def trees(self) -> list[str]:
        listed = self.git("worktree", "list", "--porcelain")
        return [line.split()[1] for line in listed.splitlines() if line.startswith("worktree ")]

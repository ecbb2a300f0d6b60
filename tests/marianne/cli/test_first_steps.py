"""What a new user does, with the real conductor: scripts/run, and the README from top to bottom."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]

pytestmark = [pytest.mark.slow, pytest.mark.e2e, pytest.mark.timeout(120)]


def _environment(tmp_path: Path) -> dict[str, str]:
    """A new user's: a home and a temporary place of its own, and no settings of ours."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MARIANNE")}
    kept.pop("XDG_STATE_HOME", None)
    return {**kept, "HOME": str(tmp_path), "TMPDIR": str(tmp_path)}


def _processes_of(tmp_path: Path) -> list[str]:
    """Command lines of living processes that name the test's own place."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and entry.name != str(os.getpid()):
            try:
                line = (entry / "cmdline").read_bytes()
            except OSError:
                continue
            if str(tmp_path).encode() in line:
                found.append(line.replace(b"\0", b" ").decode(errors="replace"))
    return found


def _run(tmp_path: Path, *argv: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [ROOT / "scripts/run", *argv],
        env=_environment(tmp_path),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


def test_scripts_run_plays_the_first_example_and_leaves_nothing(tmp_path: Path) -> None:
    done = _run(tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "hello completed" in done.stdout
    assert "retrying" in done.stdout
    assert "validation failed" in done.stdout
    assert _processes_of(tmp_path) == []
    assert list(tmp_path.glob("marianne.*")) == []


def test_scripts_run_exits_as_the_job_did(tmp_path: Path) -> None:
    score = tmp_path / "bad.yaml"
    score.write_text(
        "name: bad\nworkspace: ./out\nsheets:\n  - name: a\n    run: echo no; exit 3\n"
    )
    done = _run(tmp_path, "bad.yaml")
    assert done.returncode == 1
    assert "failed sheet 1 a" in done.stdout
    assert (tmp_path / "out").is_dir()
    assert _run(tmp_path, "nope.yaml").returncode == 2


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_scripts_run_leaves_nothing_when_it_is_ended(
    tmp_path: Path, number: signal.Signals
) -> None:
    score = tmp_path / "long.yaml"
    marker = f"sleep 4242 # {tmp_path}"
    score.write_text(
        f"name: long\nworkspace: ./out\nsheets:\n  - name: a\n    run: |\n      {marker}\n"
    )
    with subprocess.Popen(
        [ROOT / "scripts/run", "long.yaml"],
        env=_environment(tmp_path),
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if "sheet 1 a  started" in line:
                break
        process.send_signal(number)
        process.stdout.read()
        assert process.wait(timeout=60) == 128 + number
    assert _processes_of(tmp_path) == []
    assert list(tmp_path.glob("marianne.*")) == []


def test_every_command_of_the_readme_works_as_printed(tmp_path: Path) -> None:
    readme = (ROOT / "README.md").read_text()
    steps = readme[readme.index("## The first five minutes") : readme.index("## What to know next")]
    script = "\n".join(re.findall(r"```sh\n(.*?)```", steps, re.DOTALL))
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        env=_environment(tmp_path),
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    for said in ("check: 1 sheet", "30 2 * * *", '"id": 1, "result": {}'):
        assert said in done.stdout
    assert "conductor stopped" in done.stdout
    assert _processes_of(tmp_path) == []

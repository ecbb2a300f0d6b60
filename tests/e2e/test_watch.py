"""``marianne watch`` beside a real conductor: again when files change, and never for its own."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from e2e_marianne import PROGRAM, Marianne, until

PAGE = (Path(__file__).parents[2] / "docs" / "operations.md").read_text()
COPY = "sheets:\n  - {name: copy, run: cat ../in.txt >> seen.txt}\n"


class Watch:
    """A running ``watch`` and what it has printed so far."""

    def __init__(self, process: subprocess.Popen[bytes], out: Path) -> None:
        self.process, self._out = process, out

    @property
    def printed(self) -> str:
        return self._out.read_text()

    def times(self, pattern: str) -> int:
        return len(re.findall(pattern, self.printed, re.MULTILINE))


@contextmanager
def watching(program: Marianne, *argv: str) -> Iterator[Watch]:
    out = program.place.with_name(f"{program.place.name}.printed")  # where nothing is watched
    with out.open("w") as sink:
        command = [str(PROGRAM), "watch", *argv]
        process = subprocess.Popen(
            command, cwd=program.place, env=program.env, stdout=sink, stderr=subprocess.STDOUT
        )
    try:
        yield Watch(process, out)
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 130, out.read_text()


def put(path: Path, text: str) -> None:
    """As editors do it: another file takes the place."""
    part = path.with_name(".part")
    part.write_text(text)
    part.replace(path)


def test_the_page_s_example_runs_at_once_and_at_each_change(shared: Marianne) -> None:
    example = r"```yaml site\.yaml\n(.*?)```.*?^\$ marianne (watch .*?)$"
    ((text, line),) = re.findall(example, PAGE, re.DOTALL | re.MULTILINE)
    (shared.place / "site.yaml").write_text(text)
    (shared.place / "pages").mkdir()
    (shared.place / "pages" / "a.md").write_text("one\n")
    with watching(shared, *shlex.split(line)[1:]) as watch:
        until(lambda: watch.times("^site.* completed") == 1)
        put(shared.place / "pages" / "a.md", "two\n")
        until(lambda: watch.times("^site.* completed") == 2)
        assert watch.times(r"^changed: pages/a\.md") == 1
    assert (shared.place / "site" / "all.html").read_text() == "two\n"


def test_what_the_job_writes_itself_is_no_reason_to_run_again(shared: Marianne) -> None:
    score = shared.score("own", COPY)
    data = shared.place / "in.txt"
    data.write_text("1\n")
    with watching(shared, score, "--debounce", "100ms") as watch:
        until(lambda: watch.times("^own.* completed") == 1)
        put(data, "2\n")  # it is told of after all that the first run wrote
        until(lambda: watch.times("^own.* completed") == 2)
    assert (shared.place / "own" / "seen.txt").read_text() == "1\n2\n"
    assert watch.times("^changed") == 1


@pytest.mark.parametrize(("overlap", "seen"), [("queue", "1 2"), ("skip", "1 3"), ("replace", "2")])
def test_a_change_while_the_job_runs(shared: Marianne, overlap: str, seen: str) -> None:
    held = "sheets:\n  - name: hold\n    run: |\n"
    held += "      x=$(cat ../in.txt); touch began; until test -e ../go; do sleep 0.05; done\n"
    held += "      echo $x >> seen.txt\n"
    score, data, go = shared.score("held", held), shared.place / "in.txt", shared.place / "go"
    data.write_text("1\n")
    with watching(shared, score, str(data), "--overlap", overlap, "--debounce", "50ms") as watch:
        until(lambda: watch.times("^held.*: 1 sheet"))
        until((shared.place / "held" / "began").exists)
        put(data, "2\n")
        until(lambda: watch.times("^changed: in.txt"))
        if overlap == "replace":  # said before it is done
            until(lambda: watch.times("^held.*: 1 sheet") == 2)
        go.touch()
        ended = r"^held.* (completed|cancelled)"
        until(lambda: watch.times(ended) == (1 if overlap == "skip" else 2))
        if overlap == "skip":
            put(data, "3\n")
            until(lambda: watch.times(ended) == 2)
    assert (shared.place / "held" / "seen.txt").read_text().split() == seen.split()


def test_a_score_that_is_wrong_for_a_while_is_told_and_the_watch_goes_on(shared: Marianne) -> None:
    score = Path(shared.score("wrong", COPY))
    (shared.place / "in.txt").write_text("1\n")
    right = score.read_text()
    with watching(shared, str(score), "--debounce", "100ms") as watch:
        until(lambda: watch.times("^wrong.* completed") == 1)
        put(score, "name: [\n")
        until(lambda: watch.times("^error: ") == 1)
        put(score, right)
        until(lambda: watch.times("^wrong.* completed") == 2)


def test_the_watch_goes_on_over_a_killed_conductor_and_heart(own: Marianne) -> None:
    held = "sheets:\n  - {name: hold, run: 'until test -e ../go; do sleep 0.05; done'}\n"
    score, data, go = own.score("held", held), own.place / "in.txt", own.place / "go"
    data.write_text("1\n")
    with watching(own, score, str(data), "--debounce", "50ms") as watch:
        until(lambda: watch.times("^held.*: 1 sheet"))
        for pid in own.pids().values():
            os.kill(pid, signal.SIGKILL)
        own("start")
        go.touch()
        until(lambda: watch.times("^held.* completed") == 1)
        put(data, "2\n")
        until(lambda: watch.times("^held.* completed") == 2)

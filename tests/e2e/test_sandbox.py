"""Sheets behind walls, by the real program: what stands is told, what is missing refuses."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from e2e_marianne import Marianne, conductor, until

MARIANNE = Path(sys.executable).with_name("marianne")
ALL = "sandbox: {write: [workspace], network: false, isolate: true, tmp: private}\n"
WALLS = ["write", "network", "tmp", "isolate"]


UNPRIVILEGED = ("unshare", "--user", "--map-user=1000", "--map-group=1000")


@pytest.fixture(scope="module", params=["as we are", "without privilege"])
def walled(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Marianne]:
    with conductor(tmp_path_factory.mktemp("walled"), "sheet_grace_seconds: 0.5\n") as program:
        if request.param == "without privilege":
            program("stop")
            words = [*UNPRIVILEGED, str(MARIANNE), "start"]
            subprocess.run(
                words, env=program.env, check=True, timeout=60, stdout=subprocess.DEVNULL
            )
        yield program


def test_a_sheet_behind_all_walls_works_and_its_walls_are_told(walled: Marianne) -> None:
    outside = walled.place / "outside"
    outside.mkdir()
    job = walled.play(
        "all",
        f"""{ALL}sheets:
  - name: a
    run: |
      echo done > result; echo x > /tmp/x
      for try in "touch {outside}/no" "ls {walled.home}/state.db" "exec 3<>/dev/tcp/127.0.0.1/1"; do
        if bash -c "$try" 2>/dev/null; then echo "$try" >> open; fi
      done
      (setsid -f sleep 600 >/dev/null 2>&1)
    validate:
      - file_exists: result
      - command_succeeds: test ! -e open && test ! -e /tmp/x && ! touch {outside}/no
""",
    )
    [record] = walled("history", job, "--json").json["records"]
    assert record["walls"] == WALLS
    assert ", ".join(WALLS) in walled("history", job).out
    assert walled.sheet(job, 1)["walls"] == WALLS
    assert ", ".join(WALLS) in walled("status", job).out
    assert len(record["left_running"]) == 1
    events = walled("events", job, "--json").out
    assert '"walls"' in events
    assert list(outside.iterdir()) == []


@pytest.mark.parametrize(
    ("script", "error"),
    [
        ("exit 7", (7, None)),
        ("kill -TERM $$; sleep 600", (None, 15)),
        ("nothing_so_called", (127, None)),
    ],
)
def test_exit_codes_and_signals_are_what_they_are_elsewhere(
    walled: Marianne, script: str, error: tuple[int | None, int | None]
) -> None:
    name = f"ends{abs(hash(script))}"
    job = walled.play(name, f"{ALL}sheets:\n  - name: a\n    run: {script}\n", code=1)
    sheet = walled.status(job)["sheets"][0]
    assert (sheet["exit_code"], sheet["signal"]) == error


def test_cancel_ends_what_ignores_its_signals_within(walled: Marianne) -> None:
    job = walled.submit(
        "stubborn",
        f"{ALL}sheets:\n  - name: a\n    run: |\n"
        "      trap '' TERM; (setsid env -i sleep 600 &); touch begun; sleep 600; sleep 600\n",
    )
    until((walled.place / "stubborn" / "begun").exists)
    walled("cancel", job, "--yes")
    assert [line for line in walled.processes().values() if line.startswith("sleep 600")] == []


def test_many_at_once_and_one_after_the_other_share_what_was_built(walled: Marianne) -> None:
    job = walled.play(
        "many",
        f"{ALL}sheets:\n  - name: a\n    fan_out: 8\n"
        "    run: echo $$ > n{{ instance }}; touch /tmp/left\n"
        "  - name: b\n    needs: [a]\n    run: test ! -e /tmp/left && cat n?\n",
    )
    numbers = walled("output", job, "b").out.split()
    assert len(numbers) == 8
    assert max(map(int, numbers)) < 300  # of a namespace of their own


FORBID = "for n in user pid mnt net; do echo 0 > /proc/sys/user/max_${n}_namespaces; done; "


def where_there_is_none(program: Marianne, *argv: str) -> subprocess.CompletedProcess[str]:
    """Runs it where the kernel lets nobody make a namespace."""
    words = shlex.join([str(MARIANNE), *argv])
    return subprocess.run(
        ["unshare", "-Ur", "bash", "-c", f"{FORBID} exec {words}"],
        env=program.env,
        cwd=program.place,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_what_this_machine_cannot_keep_is_refused_with_its_line_and_the_cure(
    tmp_path: Path,
) -> None:
    program = Marianne(tmp_path)
    program.home.mkdir(mode=0o700)
    path = program.score("none", "sheets:\n  - name: a\n    run: date\nsandbox: {isolate: true}\n")
    told = where_there_is_none(program, "validate", path)
    assert told.returncode == 2, told
    assert ":6:" in told.stdout + told.stderr
    for word in ("no pid namespace", "user.max_user_namespaces", "best-effort"):
        assert word in told.stdout + told.stderr
    told = where_there_is_none(program, "run", "--local", path)
    assert told.returncode == 2, told
    Path(path).write_text(Path(path).read_text().replace("true", "true, when_missing: best-effort"))
    told = where_there_is_none(program, "validate", path)
    assert told.returncode == 0, told
    assert "runs without" in told.stdout + told.stderr
    told = where_there_is_none(program, "doctor")
    assert "user.max_user_namespaces" in told.stdout.replace("\n", "")


def test_a_sheet_that_asks_for_nothing_stands_behind_nothing(walled: Marianne) -> None:
    job = walled.play("plain", "sheets:\n  - name: a\n    run: readlink /proc/self/ns/pid\n")
    assert walled("output", job, "a").out.strip() == os.readlink("/proc/self/ns/pid")
    [record] = walled("history", job, "--json").json["records"]
    assert record["walls"] == []


def test_a_conductor_keeps_all_jobs_from_what_it_names(tmp_path: Path) -> None:
    with conductor(tmp_path, "sandbox: {network: false}\n") as program:
        job = program.play(
            "any", "sheets:\n  - name: a\n    run: '! (exec 3<>/dev/udp/127.0.0.1/9)'\n"
        )
        [record] = program("history", job, "--json").json["records"]
        assert record["walls"] == ["network"]


def test_killed_all_at_once_nothing_is_left_though_all_was_shed(tmp_path: Path) -> None:
    """No start is needed: when the first process of the namespace dies, the kernel kills the
    rest."""
    with conductor(tmp_path) as program:
        program.submit(
            "shed",
            "sandbox: {isolate: true}\nsheets:\n  - name: a\n    run: |\n"
            "      (cd / && env -i prlimit --rttime=1000000000:1000000000 setsid -f sleep 600.77)\n"
            "      touch begun; sleep 600\n",
        )
        until((tmp_path / "shed" / "begun").exists)
        shed = until(lambda: [pid for pid in every() if line_of(pid) == b"sleep\x00600.77\x00"])
        own = os.readlink("/proc/self/ns/pid")
        ours = [pid for pid in program.processes() if os.readlink(f"/proc/{pid}/ns/pid") == own]
        assert len(ours) >= 4
        for signum in (signal.SIGSTOP, signal.SIGKILL):
            for pid in ours:
                os.kill(pid, signum)
        until(lambda: not [pid for pid in shed if line_of(pid)])


def every() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def line_of(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""

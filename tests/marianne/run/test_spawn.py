"""A program starts with clean signals and files of its own, or says clearly why not."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from marianne.run.spawn import Command, SpawnError, ignored_signals, spawn

PATH = os.environ["PATH"]


@pytest.fixture(autouse=True)
def _here() -> object:
    """Spawning changes the working directory."""
    before = os.getcwd()
    yield
    os.chdir(before)


def command(folder: Path, *argv: str, **more: str | dict[str, str]) -> Command:
    fields = {"env": {"PATH": PATH}, "cwd": str(folder), "stdout": str(folder / "out")} | more
    return Command(argv, **fields)  # type: ignore[arg-type]


def run(made: Command) -> int:
    pid = spawn(made)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def test_the_three_streams_are_files(tmp_path: Path) -> None:
    (tmp_path / "in").write_text("hello")
    made = command(
        tmp_path, "bash", "-c", "cat; echo x >&2", stdin=f"{tmp_path}/in", stderr=f"{tmp_path}/err"
    )
    assert run(made) == 0
    assert (tmp_path / "out").read_text() == "hello"
    assert (tmp_path / "err").read_text() == "x\n"
    assert (tmp_path / "out").stat().st_mode & 0o777 == 0o600


def test_opening_the_error_stream_anew_loses_nothing_that_follows(tmp_path: Path) -> None:
    made = command(tmp_path, "bash", "-c", "echo 1; echo 2 > /dev/stdout; echo 3")
    assert run(made) == 0
    assert b"\0" not in (tmp_path / "out").read_bytes()
    assert (tmp_path / "out").read_text().endswith("3\n")


def test_the_childs_path_counts_not_ours(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    tool = tmp_path / "bin" / "my-tool"
    tool.write_text("#!/bin/sh\necho mine\n")
    tool.chmod(0o755)
    assert run(command(tmp_path, "my-tool", env={"PATH": f"{tmp_path}/bin"})) == 0
    assert run(command(tmp_path, "my-tool", env={"PATH": "bin"})) == 0
    with pytest.raises(SpawnError, match="my-tool"):
        spawn(command(tmp_path, "my-tool"))


def test_ignored_and_blocked_signals_are_not_inherited(tmp_path: Path) -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
    ignored_signals.cache_clear()
    try:
        assert run(command(tmp_path, "grep", "-E", "Sig(Blk|Ign)", "/proc/self/status")) == 0
    finally:
        signal.signal(signal.SIGHUP, before)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        ignored_signals.cache_clear()
    values = [line.split()[1] for line in (tmp_path / "out").read_text().splitlines()]
    assert [int(v, 16) for v in values] == [0, 0]


def write(path: Path, text: str, mode: int = 0o755) -> str:
    path.write_text(text)
    path.chmod(mode)
    return str(path)


@pytest.mark.parametrize(
    ("text", "mode", "says"),
    [
        ("echo no first line\n", 0o755, "#!/bin/sh"),
        ("#!/no/such/interpreter\n", 0o755, "interpreter"),
        ("#!/bin/sh\n", 0o644, "not executable"),
    ],
)
def test_what_is_no_program_is_explained(tmp_path: Path, text: str, mode: int, says: str) -> None:
    tool = write(tmp_path / "tool", text, mode)
    with pytest.raises(SpawnError) as raised:
        spawn(command(tmp_path, tool))
    assert raised.value.category == "not_found"
    assert says in raised.value.message


def test_an_argument_that_is_too_long_is_explained(tmp_path: Path) -> None:
    with pytest.raises(SpawnError, match="stdin"):
        spawn(command(tmp_path, "true", "x" * 200_000))


def test_a_missing_stdin_file_is_not_blamed_on_the_program(tmp_path: Path) -> None:
    with pytest.raises(SpawnError) as raised:
        spawn(command(tmp_path, "true", stdin=f"{tmp_path}/none"))
    assert "none is gone" in raised.value.message


def test_an_output_that_cannot_be_written_is_not_blamed_on_the_program(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    with pytest.raises(SpawnError) as raised:
        spawn(command(tmp_path, "true"))
    assert raised.value.category == "internal"
    assert f"{tmp_path}/out: Is a directory" in raised.value.message


@pytest.mark.parametrize(
    ("below", "says"),
    [
        ("a-file", "Not a directory"),
        ("n" * 256, "File name too long"),
        ("loop/x", "symbolic links"),
    ],
)
def test_a_directory_that_cannot_be_worked_in_is_not_blamed_on_the_program(
    tmp_path: Path, below: str, says: str
) -> None:
    (tmp_path / "a-file").touch()
    (tmp_path / "loop").symlink_to("loop")
    asked = command(tmp_path, "true")
    asked.cwd = f"{tmp_path}/{below}"
    with pytest.raises(SpawnError) as raised:
        spawn(asked)
    assert raised.value.category == "workspace"
    assert raised.value.message.startswith(f"It cannot work in {tmp_path}/{below}: ")
    assert says in raised.value.message


def test_a_nul_byte_is_an_error_not_a_crash(tmp_path: Path) -> None:
    with pytest.raises(SpawnError, match="null"):
        spawn(command(tmp_path, "true", "a\0b"))

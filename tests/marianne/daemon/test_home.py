"""A home is private, has one owner marker for ever, and one lock that tells the truth."""

import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from marianne.home import Home, HomeError, HomeLock
from marianne.regular_file import read_regular


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_the_environment_names_the_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MARIANNE_HOME", str(tmp_path / "there"))
    assert Home().path == tmp_path / "there"


def test_without_the_environment_the_home_is_the_user_state_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MARIANNE_HOME", raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert Home().path == tmp_path / "marianne"


def test_a_relative_home_is_made_absolute_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert Home("here").path == tmp_path / "here"


def test_single_files_can_lie_elsewhere(tmp_path: Path) -> None:
    home = Home(tmp_path, db=tmp_path / "x" / "my.db", conductor_sock=tmp_path / "s" / "c.sock")
    assert home.db == tmp_path / "x" / "my.db"
    assert home.events_sock == tmp_path / "s" / "events.sock"


def test_prepare_makes_private_directories_under_any_umask(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        home = Home(tmp_path / "a" / "home")
        assert home.prepare() == []
    finally:
        os.umask(old)
    for directory in (home.path, home.path.parent, home.instruments, home.logs, home.jobs):
        assert mode(directory) == 0o700


@pytest.mark.parametrize("wide", [0o2775, 0o777])
def test_a_directory_that_holds_other_things_and_is_open_is_refused_and_left_as_it_is(
    tmp_path: Path, wide: int
) -> None:
    place = tmp_path / "project"
    place.mkdir()
    (place / "README").touch()
    place.chmod(wide)
    with pytest.raises(HomeError, match="holds more than Marianne's"):
        Home(place).prepare()
    assert mode(place) == wide
    assert os.listdir(place) == ["README"]


def test_a_directory_that_holds_other_things_and_others_may_read_keeps_its_mode(
    tmp_path: Path,
) -> None:
    (tmp_path / "README").touch()
    tmp_path.chmod(0o755)
    (note,) = Home(tmp_path).prepare()
    assert "can be read by others" in note
    assert mode(tmp_path) == 0o755


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
@pytest.mark.parametrize("where", ["", "instruments", "jobs"])
def test_what_another_user_planted_is_refused(home: Home, where: str) -> None:
    planted = home.path / where / "conductor.yaml"
    planted.touch()
    os.chown(planted, 12345, 12345)
    with pytest.raises(HomeError, match="belongs to user 12345"):
        home.prepare()


def test_only_a_regular_file_is_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "file").write_bytes(b"12345")
    assert read_regular(str(tmp_path / "file"), 3) == b"123"
    for other in ("fifo", "."):
        with pytest.raises(OSError, match=r"regular file|directory"):
            read_regular(str(tmp_path / other), 3)


def test_prepare_tightens_a_wider_directory_and_says_so(home: Home) -> None:
    home.jobs.chmod(0o755)
    (note,) = home.prepare()
    assert str(home.jobs) in note
    assert "0755" in note
    assert mode(home.jobs) == 0o700


def test_prepare_twice_changes_nothing(home: Home) -> None:
    assert home.prepare() == []


def test_a_home_of_another_user_is_refused(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    with pytest.raises(HomeError, match="belongs to user"):
        home.prepare()


def test_a_symlink_of_another_user_on_the_way_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    real_lstat = os.lstat

    class Foreign:
        st_mode = stat.S_IFLNK | 0o777
        st_uid = os.getuid() + 1

    monkeypatch.setattr(
        os, "lstat", lambda path: Foreign if Path(path).name == "link" else real_lstat(path)
    )
    with pytest.raises(HomeError, match="symlink of user"):
        Home(tmp_path / "link" / "home").prepare()


def test_ones_own_symlink_is_followed(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    Home(tmp_path / "link" / "home").prepare()
    assert (tmp_path / "real" / "home" / "jobs").is_dir()


def test_a_file_in_the_way_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("no directory")
    with pytest.raises(HomeError, match="cannot make"):
        Home(tmp_path / "home").prepare()


def test_the_owner_marker_is_128_bits_private_and_stays(home: Home) -> None:
    owner = home.owner()
    assert len(bytes.fromhex(owner)) == 16
    assert mode(home.owner_file) == 0o600
    assert Home(home.path).owner() == owner
    assert [p.name for p in home.path.glob("owner*")] == ["owner"]


def test_a_damaged_owner_marker_is_not_silently_replaced(home: Home) -> None:
    home.owner_file.write_text("short")
    with pytest.raises(HomeError, match="hex digits"):
        home.owner()


def test_only_one_holds_the_lock(home: Home) -> None:
    lock = home.lock()
    assert lock is not None
    assert Home(home.path).lock() is None
    lock.release()
    again = home.lock()
    assert again is not None
    again.release()


def test_a_lock_whose_file_cannot_be_written_holds_and_says_so(home: Home) -> None:
    home.pid_file.touch()
    lock = HomeLock(os.open(home.pid_file, os.O_RDONLY))
    assert not lock.write(1)
    assert not lock.stopping()
    lock.release()


def test_a_home_can_be_held_without_writing_anything(home: Home) -> None:
    held = home.hold()
    assert held is not None
    assert not home.pid_file.exists()
    assert home.lock() is None
    assert home.hold() is None
    held.release()
    lock = home.lock()
    assert lock is not None
    assert home.hold() is None
    lock.release()


def test_removing_the_lock_file_lets_nobody_in(home: Home) -> None:
    lock = home.lock()
    assert lock is not None
    home.pid_file.unlink()
    assert home.running()
    assert home.lock() is None
    lock.release()
    assert not home.running()


def test_the_lock_file_is_private(home: Home) -> None:
    lock = home.lock()
    assert lock is not None
    assert mode(home.pid_file) == 0o600
    lock.release()


def test_the_holder_is_known_by_the_lock_not_by_the_file(home: Home) -> None:
    assert home.holder() is None
    home.pid_file.write_text("4242\n")
    assert home.holder() is None
    lock = home.lock()
    assert lock is not None
    lock.write(1234567, heart=os.getpid())
    assert home.holder() == 1234567
    assert home.heart() == os.getpid()
    lock.write(1234567, heart=(1 << 22) - 1)
    assert home.heart() is None, "its number stands there still, and it holds nothing"
    lock.write(9)
    assert home.holder() == 9
    assert home.heart() is None
    lock.release()
    assert home.holder() is None
    assert home.heart() is None


def test_a_held_lock_without_a_pid_is_a_conductor_that_starts(home: Home) -> None:
    lock = home.lock()
    assert lock is not None
    with pytest.raises(HomeError, match="starting"):
        home.holder()
    lock.release()


def test_a_pid_that_would_signal_a_whole_group_is_never_returned(home: Home) -> None:
    home.pid_file.write_text("0\n-1\n1\n")
    lock = home.lock()
    assert lock is not None
    with pytest.raises(HomeError):
        home.holder()
    lock.release()


def test_a_child_that_inherits_the_lock_keeps_it(home: Home) -> None:
    lock = home.lock()
    assert lock is not None
    with subprocess.Popen(
        [sys.executable, "-Sc", "input()"], stdin=subprocess.PIPE, pass_fds=(lock.fd,)
    ) as child:
        lock.release()
        assert home.running()
        child.communicate(b"\n")
    assert not home.running()


def test_a_symlink_in_place_of_the_lock_is_refused(home: Home, tmp_path: Path) -> None:
    home.pid_file.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(HomeError, match="cannot open"):
        home.lock()
    assert not home.running()


def test_a_job_directory_never_leaves_the_home(home: Home) -> None:
    assert home.job_dir("a-1") == home.jobs / "a-1"
    for bad in ("", "../x", "a/b", ".hidden"):
        with pytest.raises(ValueError, match="not a job id"):
            home.job_dir(bad)


def test_the_home_is_cheap_to_import() -> None:
    heavy = {"platformdirs", "pydantic", "yaml", "zmq", "asyncio", "multiprocessing", "logging"}
    code = "import sys, marianne.home; marianne.home.Home('/x'); print(*sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not heavy & set(out.stdout.split())


def test_a_copy_of_a_home_is_known_and_gets_a_marker_of_its_own(home: Home) -> None:
    owner = home.owner()
    assert not home.copied()
    copy = Home(home.path.with_name("copy"))
    shutil.copytree(home.path, copy.path)
    assert copy.copied()
    copy.disown()
    assert not copy.copied()
    assert copy.owner() != owner == home.owner()
    assert not copy.copied()
    assert not home.copied()


def test_a_moved_home_keeps_its_marker(home: Home) -> None:
    owner = home.owner()
    moved = Home(home.path.rename(home.path.with_name("moved")))
    assert not moved.copied()
    assert moved.owner() == owner


def test_a_marker_of_an_earlier_version_is_adopted(home: Home) -> None:
    owner = "0123456789abcdef" * 2
    home.owner_file.write_text(owner + "\n")
    assert not home.copied()
    assert home.owner() == owner
    assert mode(home.owner_file) == 0o600
    assert [p.name for p in home.path.glob("owner*")] == ["owner"]
    copy = Home(home.path.with_name("copy"))
    shutil.copytree(home.path, copy.path)
    assert copy.copied()


@pytest.mark.parametrize("word", ["9" * 5_000, "9" * 60, "4194305", "0", "1", "-5", "²"])
def test_a_word_in_the_locks_file_that_is_no_pid_names_nobody(home: Home, word: str) -> None:
    lock = home.lock()
    assert lock is not None
    home.pid_file.write_text(f"{word}\n{os.getpid()}\n")
    assert home.holder() == os.getpid()
    assert home.heart() is None
    lock.release()


def test_a_user_without_a_home_directory_is_told_what_to_set(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def nobody(uid: int) -> None:
        raise KeyError(uid)

    for name in ("MARIANNE_HOME", "XDG_STATE_HOME", "HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("pwd.getpwuid", nobody)
    with pytest.raises(HomeError, match="set MARIANNE_HOME"):
        Home()

"""There is a whole database or none: whatever interrupts its making, the next start makes it."""

import os
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from statekit import event, job

from marianne.state.connection import connect_writer
from marianne.state.database import Database
from marianne.state.errors import DatabaseCorrupt, StoreError
from marianne.state.making import settle
from marianne.state.reader import Reader

_KILLED_AT_EVERY_LINE = """
import os, signal, sys
from pathlib import Path
from marianne.state.database import Database
from marianne.state.reader import Reader

place = Path(sys.argv[1])

def child(path, last):
    seen = 0
    def trace(frame, event, argument):
        nonlocal seen
        if "/marianne/state/" in frame.f_code.co_filename.replace(os.sep, "/"):
            seen += event == "line"
            if seen > last:
                os.kill(os.getpid(), signal.SIGKILL)
        return trace
    sys.settrace(trace)
    Database(path).close()
    os._exit(0)

step = 0
while True:
    path = place / f"{step}.db"
    pid = os.fork()
    if pid == 0:
        child(path, step)
    ended = os.waitpid(pid, 0)[1]
    if path.exists():  # whatever is killed from now on, it is one
        with Reader(path) as reader:
            reader.meta("any")
    with Database(path) as database, Reader(path) as reader:
        assert reader.meta("any") is None
    assert sorted(p.name for p in place.iterdir()) == [path.name], sorted(place.iterdir())
    path.unlink()
    if ended == 0:
        print(step)
        break
    step += 1
"""


@pytest.mark.slow
def test_a_kill_at_any_line_of_the_making_leaves_nothing_that_the_next_one_minds(
    tmp_path: Path,
) -> None:
    # Some thousand syncs: on a busy disk they take minutes. No power fails here, so memory will do.
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else tmp_path
    with tempfile.TemporaryDirectory(dir=memory) as place:
        done = subprocess.run(
            [sys.executable, "-c", _KILLED_AT_EVERY_LINE, place],
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 50


_ON_A_FULL_DISK = """
import resource, signal, sys
from pathlib import Path
from marianne.state.database import Database
from marianne.state.errors import StoreError
path = Path(sys.argv[1])
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
refused = 0
for size in range(0, 400_000, 4_096):
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
    try:
        Database(path).close()
        break
    except StoreError:
        refused += 1
        assert not list(path.parent.iterdir())
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
print(refused)
"""


@pytest.mark.slow
def test_a_disk_without_room_for_it_is_an_error_that_leaves_nothing(path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _ON_A_FULL_DISK, str(path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 5


def _half_made(path: Path) -> None:
    connect_writer(path).close()


def _empty(path: Path) -> None:
    path.touch()


def _blank(path: Path) -> None:
    path.write_bytes(bytes(8192))


@pytest.mark.parametrize("cut", [_half_made, _empty, _blank])
def test_a_file_that_holds_nothing_is_set_aside(path: Path, cut: Callable[[Path], None]) -> None:
    cut(path)
    settled = settle(path)
    assert settled.made
    assert settled.aside is not None
    assert settled.aside.exists()
    with Database(path) as database:
        database.write([job("a")])


def test_an_empty_file_takes_its_log_along(path: Path) -> None:
    path.touch()
    Path(f"{path}-wal").write_bytes(b"may hold somebody's work")
    aside = settle(path).aside
    assert Path(f"{aside}-wal").read_bytes() == b"may hold somebody's work"
    assert not Path(f"{path}-wal").exists()


def test_a_log_without_its_database_is_not_read_into_the_next_one(path: Path) -> None:
    Path(f"{path}-wal").write_bytes(b"of another database")
    settled = settle(path)
    assert settled.made
    assert Path(f"{settled.aside}-wal").read_bytes() == b"of another database"


def test_a_database_whose_log_is_lost_before_anything_else_is_still_one(path: Path) -> None:
    with Database(path) as database:
        database.write([job("a"), event("a")])
        log = Path(f"{path}-wal")
        alone = path.with_name("alone.db")
        assert log.stat().st_size > 0
        alone.write_bytes(path.read_bytes())
    assert not settle(alone).made
    with Database(alone) as database:
        database.write([job("b")])


def test_a_database_whose_tables_stand_in_its_log_alone_is_kept(path: Path) -> None:
    from marianne.state.migrations import migrate

    connection = connect_writer(path)
    migrate(connection)
    copy = path.with_name("copy.db")
    for end in ("", "-wal"):
        Path(f"{copy}{end}").write_bytes(Path(f"{path}{end}").read_bytes())
    connection.close()
    assert not any(copy.read_bytes()[60:64])
    assert not settle(copy).made
    with Reader(copy) as reader:
        assert reader.meta("any") is None


def test_somebody_elses_file_is_left_where_it_is(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE theirs (x)")
    connection.commit()
    connection.close()
    before = path.read_bytes()
    assert not settle(path).made
    assert path.read_bytes() == before
    path.write_bytes(b"no database")
    with pytest.raises(DatabaseCorrupt):
        Database(path)


def test_a_link_to_nothing_is_not_replaced(path: Path) -> None:
    os.symlink(path.with_name("unmounted"), path)
    with pytest.raises(StoreError, match="bring that back"):
        Database(path)
    assert path.is_symlink()

"""Whatever happens to the disk: nothing acknowledged is lost, and the error says what to do."""

import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from statekit import event, job

from marianne.state.database import Database
from marianne.state.errors import DatabaseCorrupt, DatabaseTooNew, StoreError, StoreFull
from marianne.state.reader import Reader


def fill(path: Path, jobs: int = 40) -> None:
    with Database(path) as database:
        for n in range(jobs):
            database.write([job(f"j{n}"), event(f"j{n}", text="x" * 500)])


def test_what_is_no_database_is_refused_and_not_touched(path: Path) -> None:
    path.write_bytes(b"precious words, and no database at all" * 100)
    before = path.read_bytes()
    with pytest.raises(DatabaseCorrupt, match=r"sqlite3 .* \.recover"):
        Database(path)
    assert path.read_bytes() == before


def test_a_damaged_database_is_refused_with_what_to_do(path: Path) -> None:
    fill(path)
    with path.open("r+b") as file:
        file.seek(3 * 4096)
        file.write(os.urandom(20 * 4096))
    with pytest.raises(DatabaseCorrupt, match="move all of"):
        Database(path)


def test_a_database_of_a_newer_program_is_refused(path: Path) -> None:
    fill(path, 1)
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 999")
    connection.close()
    with pytest.raises(DatabaseTooNew, match="version 999"):
        Database(path)


def test_a_place_that_is_not_there_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"state\.db"):
        Database(tmp_path / "nowhere" / "state.db")


def test_a_reader_of_nothing_says_so(path: Path) -> None:
    with pytest.raises(StoreError, match=r"state\.db"), Reader(path) as reader:
        reader.job("a")


def test_a_full_disk_loses_nothing_and_work_goes_on_when_there_is_space(path: Path) -> None:
    with Database(path) as database:
        limit = database._connection.execute("PRAGMA page_count").fetchone()[0] + 20
        database._connection.execute(f"PRAGMA max_page_count = {limit}")
        acknowledged: list[str] = []

        def submit_for_ever() -> None:
            for n in range(1000):
                database.write([job(f"j{n}"), event(f"j{n}", text="x" * 500)])
                acknowledged.append(f"j{n}")

        with pytest.raises(StoreFull, match="free some space"):
            submit_for_ever()
        with pytest.raises(StoreFull):
            database.write_many([[job("x"), event("x", text="x" * 50_000)], [event("j0")]])
        with Reader(path) as reader:
            assert reader.events.last_seq() == len(acknowledged)
            assert all(reader.job(job_id) for job_id in acknowledged)
        database._connection.execute("PRAGMA max_page_count = 1000000")
        events = database.write([job("after"), event("after")])
        assert [e.seq for e in events] == [len(acknowledged) + 1]


_UNTIL_THE_LIMIT = """
import resource, signal, sys
sys.path.insert(0, {kit!r})
from statekit import event, job
from marianne.state.database import Database
from marianne.state.errors import StoreError
database = Database({path!r})
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (600_000, resource.RLIM_INFINITY))
try:
    for n in range(10_000):
        database.write([job(f"j{{n}}"), event(f"j{{n}}", text="x" * 500)])
        print(f"j{{n}}", flush=True)
except StoreError as error:
    print(error, file=sys.stderr)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
database.write([job("after"), event("after")])
print("after", flush=True)
"""


def run(code: str, path: Path) -> subprocess.Popen[str]:
    text = code.format(kit=str(Path(__file__).parent), path=str(path))
    return subprocess.Popen(
        [sys.executable, "-c", text], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


@pytest.mark.slow
def test_a_write_error_loses_nothing_and_work_goes_on_when_it_is_over(path: Path) -> None:
    out, err = run(_UNTIL_THE_LIMIT, path).communicate()
    acknowledged = out.split()
    assert acknowledged[-1] == "after"
    assert 10 < len(acknowledged) < 10_000
    assert "state.db" in err
    with Reader(path) as reader:
        assert [e.seq for e in reader.events.since(0, limit=20_000)] == list(
            range(1, len(acknowledged) + 1)
        )
        assert all(reader.job(job_id) for job_id in acknowledged)


_FOR_EVER = """
import sys
sys.path.insert(0, {kit!r})
from statekit import event, job
from marianne.state.database import Database
database = Database({path!r})
for n in range(100_000):
    database.write([job(f"j{{n}}"), event(f"j{{n}}")])
    print(f"j{{n}}", flush=True)
"""


@pytest.mark.slow
def test_a_kill_at_any_moment_loses_nothing_acknowledged(path: Path) -> None:
    with run(_FOR_EVER, path) as process:
        assert process.stdout is not None
        acknowledged = [process.stdout.readline().strip() for _ in range(random.randint(50, 400))]
        process.send_signal(signal.SIGKILL)
        acknowledged += process.stdout.read().split()
    with Database(path) as database, Reader(path) as reader:
        assert all(reader.job(job_id) for job_id in acknowledged if job_id)
        assert database.last_seq >= len(acknowledged) - 1
        seqs = [e.seq for e in reader.events.since(0, limit=1_000_000)]
        assert seqs == list(range(1, len(seqs) + 1))


def test_a_log_cut_anywhere_after_an_acknowledged_commit_keeps_it(
    tmp_path: Path, path: Path
) -> None:
    """Power loss: what was synced is there, what came later may be there in part."""
    lengths = []
    log = Path(f"{path}-wal")
    with Database(path) as database:
        for n in range(30):
            database.write([job(f"j{n}"), event(f"j{n}")])
            lengths.append(log.stat().st_size)
        for trial in range(40):
            cut = random.randint(lengths[0], lengths[-1])
            there = tmp_path / f"cut{trial}" / "state.db"
            there.parent.mkdir()
            shutil.copy(path, there)
            Path(f"{there}-wal").write_bytes(log.read_bytes()[:cut])
            promised = [n for n, length in enumerate(lengths) if length <= cut]
            with Database(there) as copy, Reader(there) as reader:
                assert copy.last_seq >= len(promised)
                assert all(reader.job(f"j{n}") for n in promised)
                assert {v.counts.pending for v in reader.jobs(limit=100).jobs} == {3}

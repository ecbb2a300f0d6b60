"""What a boot finds when there is no database: nothing of other jobs gets into the new one."""

import shutil
from pathlib import Path

from marianne.daemon.boot.first_start import settle_state
from marianne.daemon.worker.orphans import recorded_workers
from marianne.home import Home
from marianne.state.reader import Reader


def test_files_of_jobs_without_a_database_are_kept_beside(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    home.prepare()
    home.job_dir("a").mkdir()
    (home.job_dir("a") / "spool").write_text("what sheet 1 ended with")
    (aside,) = settle_state(home)
    assert (Path(aside) / "a" / "spool").read_text() == "what sheet 1 ended with"
    assert list(home.jobs.iterdir()) == []


def test_a_whole_database_keeps_its_jobs_files(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    home.prepare()
    assert settle_state(home) == []
    home.job_dir("a").mkdir()
    assert settle_state(home) == []
    assert home.job_dir("a").is_dir()


def test_a_database_of_an_older_marianne_is_of_the_present_before_anybody_reads_it(
    tmp_path: Path,
) -> None:
    home = Home(tmp_path / "home")
    home.prepare()
    old = Path(__file__).parents[1] / "state/data/v1.db"
    shutil.copy(old, home.db)
    assert settle_state(home) == []
    with Reader(home.db) as reader:
        job = reader.job("build-2")
    assert job is not None
    assert recorded_workers(home) == set()

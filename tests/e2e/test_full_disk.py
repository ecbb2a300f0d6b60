"""A disk that is full or fails stops admission, loses nothing and is no reason to crash."""

from __future__ import annotations

import resource
from pathlib import Path

import full_disk
import own_mounts
from e2e_marianne import Marianne


def test_a_full_disk_during_a_job_loses_nothing_and_work_goes_on(tmp_path: Path) -> None:
    own_mounts.played(full_disk.__file__, tmp_path)


def test_writes_that_fail_stop_admission_until_they_work_again(marianne: Marianne) -> None:
    def limit(size: int) -> None:
        """No file of the conductor may grow beyond ``size``: what is longer fails with EFBIG."""
        conductor = marianne.pids()["conductor"]
        resource.prlimit(conductor, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

    full_disk.play(
        marianne, lambda: limit(16_384), lambda: limit(resource.RLIM_INFINITY), kill=False
    )

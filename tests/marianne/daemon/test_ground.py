"""What a shell must allow before a conductor is begun, and what may be why one did not come up."""

from __future__ import annotations

import resource

import pytest

from marianne.daemon.boot.ground import FILES, refuse_bare_ground, suspects
from marianne.home import HomeError

ENDLESS = resource.RLIM_INFINITY


@pytest.mark.parametrize(("hard", "fine"), [(FILES - 1, False), (FILES, True), (ENDLESS, True)])
def test_few_open_files_are_refused(monkeypatch: pytest.MonkeyPatch, hard: int, fine: bool) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (10, hard))
    if fine:
        refuse_bare_ground()
    else:
        with pytest.raises(HomeError, match="open files"):
            refuse_bare_ground()


def test_only_a_limit_that_is_low_is_suspected(monkeypatch: pytest.MonkeyPatch) -> None:
    limits = {resource.RLIMIT_AS: 1 << 30, resource.RLIMIT_FSIZE: ENDLESS}
    monkeypatch.setattr(resource, "getrlimit", lambda which: (limits[which], ENDLESS))
    (words,) = suspects()
    assert words == "ulimit -v allows 1,048,576 kB of address space, 2,097,152 are enough"

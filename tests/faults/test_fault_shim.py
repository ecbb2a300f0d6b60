"""The shim of ``scripts/chaos soak``: a fault that does not strike would prove nothing."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "scripts" / "chaos_parts"))

from fault_shim import build
from soak_strike import Shim

pytestmark = pytest.mark.skipif(shutil.which("cc") is None, reason="needs a C compiler")

# Tries everything below the place and beside it; prints what each came to.
TRY = """
import errno, json, os, sys, time
place, found = sys.argv[1], {}

def attempt(name, action):
    try:
        action()
        found[name] = "done"
    except OSError as error:
        found[name] = errno.errorcode[error.errno]

try:
    file = os.open(place + "/there", os.O_RDWR)
except OSError:  # read-only: the shim is asked before the kernel sees what it is open for
    file = os.open(place + "/there", os.O_RDONLY)
attempt("write", lambda: os.write(file, b"x"))
attempt("pwrite", lambda: os.pwrite(file, b"x", 0))
attempt("read", lambda: os.pread(file, 1, 0))
attempt("sync", lambda: os.fsync(file))
attempt("make", lambda: os.close(os.open(place + "/new", os.O_CREAT | os.O_WRONLY)))
attempt("mkdir", lambda: os.mkdir(place + "/folder"))
attempt("unlink", lambda: os.unlink(place + "/old"))
attempt("beside", lambda: os.close(os.open(place + ".beside", os.O_CREAT | os.O_WRONLY)))
found["clock"] = time.time()
print(json.dumps(found))
"""

Tried = Callable[[], dict[str, object]]


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    built = build(tmp_path_factory.mktemp("shim"))
    assert built is not None
    return built


@pytest.fixture
def shim(tmp_path: Path) -> Shim:
    return Shim(tmp_path / "control")


@pytest.fixture
def tried(tmp_path: Path, shim: Shim, library: Path) -> Tried:
    place = tmp_path / "place"
    place.mkdir()
    (place / "there").write_text("there")
    (place / "old").touch()
    faults = {
        "LD_PRELOAD": str(library),
        "FAULT_SHIM_CONTROL": str(tmp_path / "control"),
        "FAULT_SHIM_PLACE": str(place),
    }

    def run() -> dict[str, object]:
        words = [sys.executable, "-I", "-S", "-c", TRY, str(place)]
        done = subprocess.run(words, env=os.environ | faults, capture_output=True, check=True)
        return dict(json.loads(done.stdout))

    return run


FAULTS = {
    "full": {"write": "ENOSPC", "pwrite": "ENOSPC", "make": "ENOSPC", "mkdir": "ENOSPC"},
    "inodes": {"make": "ENOSPC", "mkdir": "ENOSPC"},
    "broken": {"write": "EIO", "pwrite": "EIO", "sync": "EIO"},
    "unreadable": {"read": "EIO"},
    "read only": {
        "write": "EROFS", "pwrite": "EROFS", "sync": "EROFS", "make": "EROFS", "mkdir": "EROFS",
        "unlink": "EROFS",
    },
    "slow": {},
}  # fmt: skip


@pytest.mark.parametrize("what", FAULTS)
def test_a_fault_hits_what_it_is_for_and_nothing_else(what: str, shim: Shim, tried: Tried) -> None:
    names = ("write", "pwrite", "read", "sync", "make", "mkdir", "unlink", "beside")
    shim.disk(what, 100 if what != "slow" else 1)
    found = tried()
    assert {name: found[name] for name in names} == dict.fromkeys(names, "done") | FAULTS[what]
    assert shim.struck > 0


def test_a_fault_that_is_over_strikes_no_more(shim: Shim, tried: Tried) -> None:
    shim.disk("full", 100)()
    found = tried()
    assert {value for name, value in found.items() if name != "clock"} == {"done"}
    assert shim.struck == 0


def test_the_wall_clock_is_set_for_the_process_alone(shim: Shim, tried: Tried) -> None:
    import time

    shim.clock(-3600.0)
    before = time.time()
    assert before - 3600 <= float(str(tried()["clock"])) <= time.time() - 3600

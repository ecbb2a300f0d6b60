"""Whom a worker believes to be its conductor."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from marianne.run.procfs import start_time
from marianne.run.trust import Trust, trust_of

OLD, NEW = b"o" * 32, b"n" * 32


class Line:
    def __init__(self) -> None:
        self.server_key: bytes | None = OLD

    def trust(self, server_key: bytes) -> None:
        self.server_key = server_key


def published(place: Path, text: str) -> str:
    file = place / "workers.key"
    file.write_text(text)
    return str(file)


def here() -> tuple[int, int]:
    return os.getpid(), start_time(os.getpid()) or 0


def test_while_the_heart_lives_no_other_key_is_believed(tmp_path: Path) -> None:
    line = Line()
    Trust(line, published(tmp_path, NEW.hex()), here()).look()
    assert line.server_key == OLD


def test_when_conductor_and_heart_are_dead_the_published_key_is(tmp_path: Path) -> None:
    gone = subprocess.Popen(["true"])
    keeper = gone.pid, start_time(gone.pid) or 0
    gone.wait()
    for kept in (keeper, None):
        line = Line()
        Trust(line, published(tmp_path, NEW.hex()), kept).look()
        assert line.server_key == NEW


def test_a_conductor_says_who_keeps_its_key_from_then_on(tmp_path: Path) -> None:
    line = Line()
    trust = Trust(line, published(tmp_path, NEW.hex()), None)
    trust.kept_by(here())
    trust.look()
    assert line.server_key == OLD


def test_a_file_that_holds_no_key_changes_nothing(tmp_path: Path) -> None:
    for text in ("", "zz", "00", NEW.hex() * 2):
        line = Line()
        Trust(line, published(tmp_path, text), None).look()
        assert line.server_key == OLD
    Trust(line, str(tmp_path / "none"), None).look()
    assert line.server_key == OLD


def test_a_worker_that_asks_for_no_proof_trusts_as_ever() -> None:
    line = Line()
    line.server_key = None
    assert trust_of({"key_file": "/x"}, line) is None

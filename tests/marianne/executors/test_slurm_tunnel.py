"""The end of a connection in an allocation: what it says where there is no warden."""

from __future__ import annotations

from pathlib import Path

import pytest

from marianne.executors.slurm import tunnel


def test_it_says_where_no_warden_listens(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(tunnel, "START_SECONDS", 0.0)
    monkeypatch.chdir(tmp_path)
    assert tunnel.main(str(tmp_path), "mark-7") == tunnel.NO_WARDEN
    assert "no warden has listened there" in capsys.readouterr().err

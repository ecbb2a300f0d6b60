"""``marianne web`` says what it lacks, and where pages are served."""

from __future__ import annotations

import socket
import sys
from contextlib import closing
from pathlib import Path

import pytest
from cli_fake import FakeConductor

from marianne.cli import program
from marianne.home import Home
from marianne.web import child


def test_without_the_extra_it_is_said_what_to_install(
    home: Home, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in [name for name in sys.modules if name.startswith("marianne.web.")]:
        if name != "marianne.web.command":
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    assert program.run(["web"]) == 2
    said = capsys.readouterr().err
    assert "the pages need uvicorn" in said
    assert "pip install 'marianne-conductor[web]'" in said


def test_a_port_that_is_taken_is_named(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as other:
        port = str(other.getsockname()[1])
        assert program.run(["web", "--port", port]) == 2
    assert f"cannot serve at 127.0.0.1:{port}" in capsys.readouterr().err


def test_an_address_is_only_told_where_somebody_serves_it(
    home: Home, conductor: FakeConductor, capsys: pytest.CaptureFixture[str]
) -> None:
    assert program.run(["web", "--address"]) == 4
    assert "no pages served" in capsys.readouterr().err
    place = home.path / child.ADDRESS
    with closing(socket.create_server(("127.0.0.1", 0))) as one:
        address = f"http://127.0.0.1:{one.getsockname()[1]}/?token=abc"
        child.note(place, address)
        assert program.run(["web", "--address"]) == 0
    assert capsys.readouterr().out == f"{address}\n"
    assert child.token_of(child.read(place)) == "abc"
    assert child.served(home.path) is None, "nobody does any more"
    assert place.stat().st_mode & 0o777 == 0o600


def test_an_address_is_read_from_a_file_alone(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_text("http://x/?token=abc")
    (tmp_path / "link").symlink_to("elsewhere")
    assert [child.read(tmp_path / name) for name in ("none", "link", ".")] == ["", "", ""]

"""Where profiles come from."""

from __future__ import annotations

from pathlib import Path

from marianne.instruments.registry import Registry

PROFILE = "name: {}\nkind: cli\ncli: {{command: {{executable: {}}}}}\n"


def test_a_later_directory_wins_by_name(tmp_path: Path) -> None:
    for place in ("user", "score"):
        (tmp_path / place).mkdir()
        (tmp_path / place / "a.yaml").write_text(PROFILE.format("shell", place))
    registry = Registry.load(tmp_path / "user").extended(tmp_path / "score", tmp_path / "absent")
    shell = registry.get("shell")
    assert shell is not None
    assert shell.cli is not None
    assert shell.cli.command.executable == "score"
    assert registry.entries["shell"].source == str(tmp_path / "score" / "a.yaml")


def test_a_broken_file_is_reported_and_the_others_are_read(tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text("name: bad\ncli: {command: {exe: x}}\n")
    (tmp_path / "worse.yaml").write_bytes(b"\xff\xfe")
    (tmp_path / "good.yaml").write_text(PROFILE.format("good", "x"))
    registry = Registry.load(tmp_path)
    assert registry.get("good") is not None
    assert registry.get("bad") is None
    assert "cli.command.exe" in registry.problems[1].render()
    assert len({problem.file for problem in registry.problems}) == 2


def test_a_profile_says_how_many_of_its_sheets_run_at_once(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(PROFILE.format("agent", "x"))
    registry = Registry.load(tmp_path)
    limits = {name: registry.entries[name].profile.max_concurrent for name in ("agent", "shell")}
    assert limits == {"agent": 4, "shell": None}

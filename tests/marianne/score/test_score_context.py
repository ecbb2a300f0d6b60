"""What earlier sheets and the workspace give to a prompt."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from scorekit import load

from marianne.model.plan import Plan
from marianne.score.context import MAX_FILES, capture_files, read_injections, read_output
from marianne.score.prompt import render_prompt
from marianne.score.redact import REDACTED, redact

AGENT = "instrument: claude-code\n"


def plan(tmp_path: Path, sheet: str) -> Plan:
    text = f"name: x\nworkspace: {tmp_path}\n{AGENT}sheets: [{{name: a, prompt: hello, {sheet}}}]"
    return load(text)


def test_captured_files_are_cut_and_redacted(tmp_path: Path) -> None:
    (tmp_path / "b.md").write_text("b" * 50)
    (tmp_path / "a.md").write_text("token ghp_" + "x" * 30)
    (tmp_path / "c.bin").write_bytes(b"\0\1")
    made = plan(
        tmp_path,
        'cross_sheet: {capture_files: ["*.md", "{{ workspace }}/*.bin"], max_output_chars: 20}',
    )
    assert capture_files(made, made.sheets[0]) == {
        "a.md": f"token {REDACTED}",
        "b.md": "b" * 20 + "\n... [cut]",
    }


def test_captured_files_are_bounded_in_number(tmp_path: Path) -> None:
    for number in range(MAX_FILES + 50):
        (tmp_path / f"{number}.md").touch()
    made = plan(tmp_path, 'cross_sheet: {capture_files: ["*.md"]}')
    assert len(capture_files(made, made.sheets[0])) == MAX_FILES


def test_a_file_that_is_a_pipe_is_left_alone(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.md")
    made = plan(tmp_path, 'cross_sheet: {capture_files: ["*.md"]}, inject: [{file: pipe.md}]')
    assert capture_files(made, made.sheets[0]) == {}
    assert read_injections(made, made.sheets[0])[0] == {}


def test_a_captured_file_lies_in_the_workspace_when_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sheet that runs beside may exchange it for a link at any moment."""
    work, outside = tmp_path / "work", tmp_path / "outside.md"
    work.mkdir()
    (work / "real.md").write_text("real")
    outside.write_text("secret")
    made = plan(work, 'cross_sheet: {capture_files: ["*.md"]}')
    opening = os.open

    def exchanged(path: str, *rest: int) -> int:
        if path == str(work / "real.md"):
            (work / "real.md").unlink()
            (work / "real.md").symlink_to(outside)
        return opening(path, *rest)

    monkeypatch.setattr(os, "open", exchanged)
    assert capture_files(made, made.sheets[0]) == {}
    assert (work / "real.md").is_symlink()


def test_a_captured_file_lies_in_the_workspace_whatever_links_say(tmp_path: Path) -> None:
    work, outside = tmp_path / "work", tmp_path / "outside"
    work.mkdir()
    outside.mkdir()
    (outside / "secret.md").write_text("secret")
    (work / "real.md").write_text("real")
    (work / "link.md").symlink_to(outside / "secret.md")
    (work / "within.md").symlink_to("real.md")
    (work / "folder").symlink_to(outside)
    made = plan(work, 'cross_sheet: {capture_files: ["*.md", "folder/*.md"]}')
    assert capture_files(made, made.sheets[0]) == {"real.md": "real", "within.md": "real"}
    named = plan(work, f'cross_sheet: {{capture_files: ["{outside}/*.md", "../outside/*.md"]}}')
    assert set(capture_files(named, named.sheets[0]).values()) == {"secret"}


def test_the_end_of_an_output_is_kept_and_a_cut_hides_no_credential(tmp_path: Path) -> None:
    path = tmp_path / "out"
    path.write_text("x" * 10_000 + " AKIAABCDEFGHIJKLMNOP end")
    assert read_output(str(path), 10) == "ACTED] end"
    assert read_output(str(tmp_path / "gone"), 10) == ""


def test_injections_are_read_by_kind_and_what_is_missing_is_said(tmp_path: Path) -> None:
    (tmp_path / "parts").mkdir()
    for name in ("b.txt", "a.txt", ".hidden"):
        (tmp_path / "parts" / name).write_text(name[0])
    (tmp_path / "skill.md").write_text("be kind")
    (tmp_path / "photo.png").write_bytes(b"\x89PNG\0")
    made = plan(
        tmp_path,
        "inject: [{directory: parts}, {file: skill.md, as: skill},"
        ' {file: "{{ workspace }}/photo.png", as: tool}, {file: absent, as: tool}]',
    )
    texts, missing = read_injections(made, made.sheets[0])
    assert texts["context"] == "--- Input: a.txt ---\na\n\n--- Input: b.txt ---\nb"
    assert texts["skill"] == "be kind"
    assert "Read the file" in texts["tool"]
    assert missing == [f"{tmp_path}/absent: no such file (tool)"]
    prompt = render_prompt(made, made.sheets[0], injected=texts)
    assert prompt.index("be kind") < prompt.index("Input: a.txt") < prompt.index("hello")


def test_a_prompt_says_what_was_missing_and_what_must_hold(tmp_path: Path) -> None:
    made = plan(tmp_path, "validate: [{file_exists: out.md, description: the report}]")
    sheet = made.sheets[0]
    again = render_prompt(made, sheet, attempt=2, failed=["out.md is missing"])
    assert "Attempt 2" in again
    assert "did not achieve\n- out.md is missing" in again
    assert "Success Requirements\n- the report: the file out.md exists" in again
    rest = render_prompt(made, sheet, attempt=3, failed=["out.md is missing"], completion=True)
    assert "Finish what is missing" in rest


@pytest.mark.parametrize(
    "secret",
    [
        "sk-ant-api03-abcdefghijklmnop",
        "ghp_abcdefghijklmnopqrstuvwxyz",
        "AKIAABCDEFGHIJKLMNOP",
        "xoxb-1234567890-abc",
        "eyJhbGciOiJI.eyJzdWIiOiIx.SflKxwRJSMeKKF2QT4",
        "-----BEGIN RSA PRIVATE KEY-----\nabc\n-----END RSA PRIVATE KEY-----",
    ],
)
def test_credentials_of_known_forms_are_hidden(secret: str) -> None:
    assert redact(f"before {secret} after") == f"before {REDACTED} after"


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        ("API_KEY=abcdef123456", f"API_KEY={REDACTED}"),
        ('"password": "hunter22"', f'"password": "{REDACTED}"'),
        ("Authorization: Bearer abcdefgh", f"Authorization: Bearer {REDACTED}"),
        ("postgres://me:secret@host/db", f"postgres://me:{REDACTED}@host/db"),
        ("the password is asked for", "the password is asked for"),
        ("tokens: 1200", "tokens: 1200"),
        ("task-force sk-1", "task-force sk-1"),
    ],
)
def test_named_credentials_are_hidden_and_plain_text_is_not(text: str, hidden: str) -> None:
    assert redact(text) == hidden


@pytest.mark.slow
@pytest.mark.parametrize(
    "piece",
    [
        "x",
        "-",
        "eyJ",
        "eyJ-",
        "a.",
        "://",
        "://a:",
        "api_key",
        "password=",
        "_token",
        "sk-",
        "-----BEGIN ",
        "password ",
        "Authorization: ",
        "x:\"' ",
        "secret-",
        "eyJaaaaaaaa.",
    ],
)
def test_hiding_takes_time_by_the_length_of_the_text(piece: str) -> None:
    text = piece * (500_000 // len(piece))
    began = time.thread_time()
    redact(text)
    assert time.thread_time() - began < 2

"""The program for templates and apprise: what it makes of a notice, what it says of failures."""

from __future__ import annotations

import json
import subprocess
import sys
import types
from pathlib import Path
from typing import Any

import pytest
from notify_notice import notice, receiver

from marianne.notify import deliver as module
from marianne.notify.deliver import MISSING, deliver, main
from marianne.notify.way import DELIVER, way
from marianne.score.models import Notification

SECRET = "sk-s3cret"


def given(kind: str, **config: Any) -> dict[str, Any]:
    body = {"event": "job_failed", "name": "n", "data": {"exit_code": 3}, "error": "it's broken"}
    told = {"body": body, "title": "n: job failed", "text": "it's broken", "line": "n: it's broken"}
    return {"type": kind, "config": config, "timeout": 30.0, **told}


def test_a_template_makes_the_input_of_a_command(tmp_path: Path) -> None:
    told = tmp_path / "told"
    template = "{{ name }} {{ data.exit_code }}{% if error %} {{ error | q }}{% endif %}"
    assert deliver(given("command", command=f"cat > {told}", template=template)) is None
    assert told.read_text() == "n 3 'it'\"'\"'s broken'"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("template", "why"),
    [
        ("{{ nothing }}", "nothing"),
        ("{{ data.nothing }}", "nothing"),
        ("{{ ''.__class__.__mro__ }}", "unsafe"),
        ("{% for a in range(99999) %}{% for b in range(99999) %}x{% endfor %}{% endfor %}", ""),
    ],
)
def test_a_template_that_cannot_be_rendered_is_said_and_tells_nobody(
    template: str, why: str, tmp_path: Path
) -> None:
    said = deliver(given("command", command=f"touch {tmp_path}/told", template=template))
    assert said is not None
    assert said.startswith("its template, line 1")
    assert why in said
    assert not (tmp_path / "told").exists()


def test_a_command_that_fails_is_said_by_its_exit_code() -> None:
    assert deliver(given("command", command=f"false {SECRET} || exit 3", template="x")) == (
        "exit code 3"
    )


def test_apprise_is_said_to_be_missing_where_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "apprise", None)
    assert deliver(given("apprise", url=f"json://{SECRET}")) == MISSING


@pytest.mark.parametrize(
    ("known", "taken", "said"),
    [(True, True, None), (False, True, "nothing that apprise knows"), (True, False, "could not")],
)
def test_apprise_is_given_title_and_text(
    monkeypatch: pytest.MonkeyPatch, known: bool, taken: bool, said: str | None
) -> None:
    told: list[Any] = []

    class Apprise:
        def add(self, url: str) -> bool:
            told.append(url)
            return known

        def notify(self, body: str, title: str) -> bool:
            told.append((title, body))
            return taken

    fake = types.ModuleType("apprise")
    fake.Apprise = Apprise  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "apprise", fake)
    monkeypatch.setenv("HOOK", SECRET)
    why = deliver(given("apprise", url_env="HOOK"))
    assert told[0] == SECRET
    assert (why is None) if said is None else (why is not None and said in why)
    assert why is None or SECRET not in why
    if known:
        assert told[1] == ("n: job failed", "n: it's broken")


@pytest.mark.slow
def test_the_real_apprise_tells_a_server_or_says_that_it_could_not() -> None:
    pytest.importorskip("apprise", reason="apprise is not installed: the extra notify")
    with receiver(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n") as (url, told):
        server = url.removeprefix("http://")
        found = way([notice("apprise", url=f"json://{server}")])
        assert found is not None
        done = subprocess.run(found.argv, input=found.stdin, capture_output=True, check=False)
        assert done.returncode == 0, done
    assert json.loads(told[0])["title"] == "a: job failed"
    again = subprocess.run(found.argv, input=found.stdin, capture_output=True, check=False)
    assert again.returncode == 1
    assert again.stdout == b"apprise could not deliver it\n"


def test_an_unknown_kind_is_told_by_nobody() -> None:
    assert "no way" in (deliver(given("email", template="x")) or "")


def test_the_program_is_started_by_its_name_and_reads_its_input(tmp_path: Path) -> None:
    told = tmp_path / "told"
    found = way([notice("command", command=f"cat > {told}", template="{{ event }}!")])
    assert found is not None
    assert DELIVER in found.argv
    done = subprocess.run(found.argv, input=found.stdin, capture_output=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert told.read_text() == "job_failed!"


def test_what_went_wrong_is_one_line_and_an_exit_code(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(module.json, "load", lambda _: given("command", command="exit 4"))
    assert main() == 1
    assert capsys.readouterr().out == "exit code 4\n"


@pytest.mark.parametrize(
    ("config", "why"),
    [
        ({"template": "{{ nmae }}"}, "names 'nmae'"),
        ({"template": "{% if %}"}, "template, line 1"),
        ({"template": 3}, "must be text"),
        ({"quiet": "at night"}, "hours of the day"),
        ({"digest": "soon"}, "digest must be 0 to 366 days"),
    ],
)
def test_what_a_receiver_says_is_checked_with_its_score(config: dict[str, Any], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        Notification.model_validate({"type": "command", "config": {"command": "x", **config}})


def test_times_are_kept_in_seconds() -> None:
    config = {"url": "json://x", "digest": "5m", "quiet": "22:00-07:00", "template": "{{ name }}"}
    told = Notification.model_validate({"type": "apprise", "config": config})
    assert told.config == {**config, "digest": 300.0}
    assert json.loads(json.dumps(told.config)) == told.config

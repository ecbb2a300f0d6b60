"""Nothing that is written down is ignored in silence: it works, or it is named, with the reason."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from e2e_marianne import Marianne, conductor, until

CONFIG = """default_thinking_method: THINK-TWICE
preflight: {token_warning_threshold: 20, token_error_threshold: 100}
socket:
  permissions: 0o660
"""
LONG = "word " * 3_000


@pytest.fixture(scope="module")
def marianne(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Marianne]:
    with conductor(tmp_path_factory.mktemp("said"), CONFIG) as program:
        yield program


def test_a_prompt_over_the_threshold_is_refused_at_the_door(marianne: Marianne) -> None:
    score = marianne.score("long", f"instrument: cli\nsheets:\n  - name: a\n    prompt: {LONG}\n")
    for verb in (("run", score), ("run", score, "--local", "--dry-run"), ("validate", score)):
        told = marianne(*verb, code=2)
        assert "long.yaml:6:13: sheets[0].prompt: the prompt has about 3,749 tokens" in told.err
        assert "preflight.token_error_threshold is 100" in told.err


def test_a_prompt_that_grows_by_earlier_outputs_fails_its_sheet_unstarted(
    marianne: Marianne,
) -> None:
    text = """instrument: cli
retry: {max_retries: 5}
sheets:
  - {name: a, run: 'seq 1 200'}
  - name: b
    needs: [a]
    cross_sheet: {auto_capture_stdout: true}
    prompt: "touch started\\n: {{ previous_outputs[1] | q }}"
"""
    job = marianne.play("grows", text, code=1)
    sheet = marianne.sheet(job, 2)
    assert (sheet["error"]["category"], sheet["attempt"]) == ("preflight", 1)
    assert "preflight.token_error_threshold is 100" in sheet["error"]["message"]
    assert not (marianne.place / "grows/started").exists()
    assert "shorten it" in marianne("diagnose", job).out


def test_the_thinking_method_of_the_conductor_is_in_the_prompt(marianne: Marianne) -> None:
    programs = marianne.home / "instruments"
    programs.mkdir(mode=0o700, exist_ok=True)
    (programs / "agent.yaml").write_text("name: agent\ncli: {command: {executable: cat}}\n")
    text = "instrument: agent\nsheets: [{name: a, prompt: p}]\n"
    job = marianne.play("thinks", text)
    assert marianne("output", job).out.endswith("p\n\nTHINK-TWICE\n")


def test_what_a_profile_says_without_effect_is_named_wherever_it_is_used(
    marianne: Marianne,
) -> None:
    programs = marianne.home / "instruments"
    programs.mkdir(mode=0o700, exist_ok=True)
    (programs / "big.yaml").write_text(
        "name: big\nmodels:\n  - name: m\n    context_window: 200000\n"
        "cli: {command: {executable: cat}}\n"
    )
    (programs / "torn.yaml").write_text("name: torn\ncli: {command: {exe: cat}}\n")
    score = marianne.score("big", "instrument: big\nsheets: [{name: a, prompt: p}]\n")
    unused = f"{programs}/big.yaml:4:5: models[0].context_window: accepted, no effect ("
    broken = f"{programs}/torn.yaml:2:17: cli.command.exe: unknown key"
    for verb in (("validate", score), ("run", score, "--local", "--dry-run"), ("run", score)):
        told = marianne(*verb).err
        assert f"{unused}the conductor's preflight bounds prompts" in told
        assert f"an instrument file was left out: {broken}" in told
    for words in (("list",), ("show", "big"), ("check", "big")):
        assert unused in marianne("instruments", *words).err
        said = marianne("instruments", *words, "--json").json
        [row] = [row for row in said if row["name"] == "big"] if words == ("list",) else [said]
        assert len(row["warnings"]) == 1
        assert row["warnings"][0].startswith(unused)
    assert unused in marianne("doctor", code=None).out
    (programs / "torn.yaml").unlink()


def test_another_threshold_counts_from_the_reload_on(own: Marianne) -> None:
    score = own.score("mid", "instrument: cli\nsheets: [{name: a, prompt: 'true # 40 characters'}]")
    own("run", score, "--wait")
    (own.home / "conductor.yaml").write_text(
        "preflight: {token_warning_threshold: 1, token_error_threshold: 2}"
    )
    own("reload")
    assert "the prompt has about 5 tokens" in own("run", score, code=2).err


def test_each_ignored_field_of_a_score_is_named_with_its_line_and_reason(
    marianne: Marianne,
) -> None:
    text = """sheets: [{name: a, run: 'true'}]
stale_detection:
  check_interval_seconds: 5
notifications:
  - {type: email, config: {}}
on_success:
  - type: run_command
    command: 'true'
    detached: true
isolation: {enabled: true}
"""
    score = marianne.score("ignored", text)
    said = [
        f"{score}:5: stale_detection.check_interval_seconds: accepted, no effect (the idle limit",
        f"{score}:7: notifications[0].email: accepted, no effect (use 'command'",
        f"{score}:11: on_success[0].detached: accepted, no effect (a job that follows is never",
        f"{score}:12: isolation: accepted, no effect (git worktrees are not made)",
    ]
    for verb in ("run", "validate"):
        told = marianne(verb, score).err
        assert [line for line in said if line not in told] == []


def test_a_request_that_asks_to_heal_is_told_that_nothing_does(marianne: Marianne) -> None:
    score = marianne.score("heal", "sheets: [{name: a, run: 'true'}]\n")
    params = {"config_path": score, "self_healing": True, "environment": {}}
    said = marianne.request("job.submit", params)["warnings"]
    assert ["self_healing: accepted, no effect" in words for words in said] == [True]


def test_a_setting_without_effect_is_named_by_config_show(marianne: Marianne) -> None:
    told = marianne("config", "show")
    place = f"{marianne.home / 'conductor.yaml'}:4"
    assert f"{place}: socket.permissions: accepted, no effect (sockets are 0600" in told.err
    assert "word" not in told.out


class Receiver(HTTPServer):
    """Takes what is posted; the first delivery to /shy is turned away."""

    def __init__(self) -> None:
        self.got: list[tuple[str, Any]] = []
        self.turned_away = False
        super().__init__(("127.0.0.1", 0), Answers)


class Answers(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        shy = self.path == "/shy" and not self.server.turned_away
        self.server.turned_away |= shy
        if not shy:
            self.server.got.append((self.path, body))
        self.send_response(503 if shy else 204)
        self.end_headers()

    def log_message(self, *_words: object) -> None:
        """Nothing."""


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    server = Receiver()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_webhook_gets_the_event_and_slack_one_line(own: Marianne, receiver: Receiver) -> None:
    place = f"http://127.0.0.1:{receiver.server_port}"
    own.env |= {"HOOK": f"{place}/shy", "no_proxy": "127.0.0.1"}
    text = f"""sheets: [{{name: a, run: 'exit 3'}}]
notifications:
  - {{type: webhook, on_events: [job_failed], config: {{url_env: HOOK}}}}
  - {{type: slack, on_events: [job_failed], config: {{webhook_url: '{place}/slack'}}}}
"""
    job = own.play("bad", text, code=1)
    until(lambda: len(receiver.got) == 2, 30.0)
    got = dict(receiver.got)
    assert (got["/shy"]["event"], got["/shy"]["job_id"]) == ("job_failed", job)
    assert got["/slack"] == {"text": "bad: job failed - sheet 1 (a) failed"}
    log = Path(own.home / "logs/conductor.log").read_text()
    assert "the answer was HTTP 503" in log
    assert place not in log

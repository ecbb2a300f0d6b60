"""A conductor's figures, as an operator's Prometheus sees them over its life."""

from __future__ import annotations

import http.client
import os
import re
import shutil
import signal
import socket
import subprocess
from contextlib import closing
from pathlib import Path

import pytest
from e2e_marianne import Marianne, until

SCORE = "sheets:\n  - {name: a, run: 'true'}\n  - {name: b, run: 'false'}\n"


def free_port() -> int:
    with closing(socket.create_server(("127.0.0.1", 0))) as one:
        return int(one.getsockname()[1])


def _configure(marianne: Marianne, text: str) -> None:
    marianne.home.mkdir(mode=0o700, exist_ok=True)
    (marianne.home / "conductor.yaml").write_text(text)


def _scrape(port: int) -> str:
    """The figures served there; empty while nobody does."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        with closing(connection):
            connection.request("GET", "/metrics")
            answer = connection.getresponse()
            return answer.read().decode() if answer.status == 200 else ""
    except (OSError, http.client.HTTPException):
        return ""


def value(text: str, sample: str) -> float | None:
    found = re.search(rf"^{re.escape(sample)} (\S+)$", text, re.MULTILINE)
    return float(found[1]) if found else None


def test_figures_are_printed_without_being_served_and_promtool_has_no_complaint(
    marianne: Marianne,
) -> None:
    job = marianne.play("secretname", SCORE, code=1)
    marianne.crash("rates")
    marianne("rate-limits", code=None)
    marianne.request("daemon.clear_rate_limits")
    until(lambda: marianne.tree()["rates"]["restarts"] == 1)
    text = marianne("metrics").out
    assert value(text, 'marianne_jobs{status="failed"}') == 1
    assert value(text, 'marianne_sheets{status="completed"}') == 1
    assert value(text, 'marianne_attempts_total{instrument="shell",outcome="failed"}') == 1
    assert value(text, 'marianne_attempt_run_seconds_count{instrument="shell"}') == 2
    assert value(text, "marianne_sheet_wait_seconds_count") == 2
    assert value(text, 'marianne_actor_restarts_total{actor="rates"}') == 1
    assert (value(text, "marianne_store_commit_seconds_count") or 0) > 0
    assert value(text, 'marianne_limit{of="sheets"}') == 25
    assert job not in text
    names = {family["name"] for family in marianne("metrics", "--json").json}
    assert names == set(re.findall(r"^# TYPE (\S+)", text, re.MULTILINE))
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("no promtool: apt-get install prometheus")
    checked = subprocess.run(
        [promtool, "check", "metrics"], input=text, capture_output=True, text=True, check=False
    )
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")


def test_the_served_figures_go_on_over_deaths_and_reloads(marianne: Marianne) -> None:
    port = free_port()
    _configure(marianne, f"metrics: {{listen: 127.0.0.1:{port}}}\n")
    marianne.play("x", SCORE, code=1)
    sample = 'marianne_attempts_total{instrument="shell",outcome="completed"}'
    until(lambda: value(_scrape(port), sample) == 1)
    first = marianne.pids()["conductor"]
    os.kill(first, signal.SIGKILL)
    until(lambda: marianne.pids()["conductor"] != first and _scrape(port))
    # A counter begins anew, which who reads it knows; a state is what it was.
    assert value(_scrape(port), sample) is None
    assert value(_scrape(port), 'marianne_jobs{status="failed"}') == 1
    path = marianne.home / "m.sock"
    _configure(marianne, f"metrics: {{listen: {path}}}\n")
    assert marianne("reload", "--json").json["applied"] == ["metrics.listen"]
    until(path.is_socket)
    until(lambda: not _scrape(port))
    with closing(socket.socket(socket.AF_UNIX)) as client:
        client.settimeout(60)
        client.connect(str(path))
        client.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
        assert client.makefile("rb").readline().startswith(b"HTTP/1.1 200 ")
    marianne("stop")
    assert not path.exists()


def test_a_port_that_is_taken_stops_no_job_and_is_served_once_it_is_free(
    marianne: Marianne,
) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as other:
        port = other.getsockname()[1]
        _configure(marianne, f"metrics: {{listen: 127.0.0.1:{port}}}\n")
        marianne.play("x", "sheets:\n  - {name: a, run: 'true'}\n")
        assert "in use" in marianne("health", "--json").json["metrics"]
    until(lambda: marianne("health", "--json").json["metrics"] == "ok")
    until(lambda: _scrape(port))


def test_an_address_that_others_can_reach_is_refused_unless_it_is_said(
    marianne: Marianne, tmp_path: Path
) -> None:
    _configure(marianne, "metrics: {listen: '0.0.0.0:9464'}\n")
    refused = marianne("start", code=2)
    assert "remote: true" in refused.err

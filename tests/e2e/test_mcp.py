"""``marianne mcp`` as its clients start it: a process of its own on two pipes."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from e2e_marianne import PROGRAM, Marianne, until

SCORE = "name: {name}\nworkspace: ./{name}\nsheets:\n  - {{name: a, run: '{run}'}}\n"


class Served:
    """One server's process, and the client's end of its pipes."""

    def __init__(self, program: Marianne, *options: str) -> None:
        self.process = subprocess.Popen(
            [PROGRAM, "mcp", *options],
            env=program.env,
            cwd=program.place,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self._number = 0
        params = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {}}
        assert self.ask("initialize", params)["serverInfo"]["name"] == "marianne"

    def send(self, message: dict[str, Any]) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n")
        self.process.stdin.flush()

    def ask(self, method: str, params: dict[str, Any]) -> Any:
        assert self.process.stdout is not None
        self._number += 1
        self.send({"id": self._number, "method": method, "params": params})
        answer = json.loads(self.process.stdout.readline())
        assert answer["id"] == self._number
        return answer["result"]

    def call(self, tool: str, **arguments: Any) -> Any:
        return self.ask("tools/call", {"name": tool, "arguments": arguments})

    def see(self, tool: str, **arguments: Any) -> Any:
        result = self.call(tool, **arguments)
        assert not result["isError"], result
        return result["structuredContent"]

    def leave(self) -> tuple[int, str]:
        """Ends the input; its exit code, and what it said on standard error."""
        assert self.process.stdin is not None
        assert self.process.stderr is not None
        self.process.stdin.close()
        said = self.process.stderr.read().decode()
        return self.process.wait(30), said


def _stopped(pid: int) -> bool:
    """Whether each of its threads is."""
    states = [(task / "stat").read_text() for task in Path(f"/proc/{pid}/task").iterdir()]
    return all(state.rpartition(")")[2].split()[0] == "T" for state in states)


@contextmanager
def _served(program: Marianne, *options: str) -> Iterator[Served]:
    served = Served(program, *options)
    try:
        yield served
    finally:
        served.process.kill()
        with served.process:  # closes its pipes
            pass


def test_an_agent_runs_a_score_and_sees_what_became_of_it(shared: Marianne) -> None:
    with _served(shared, "--write") as agent:
        text = SCORE.format(name="played", run="echo out; echo err >&2")
        job = agent.see("run", text=text, seconds=60)
        assert (job["ended"], job["job"]["status"]) == (True, "completed")
        status = agent.see("status", job=job["job_id"])
        assert [sheet["status"] for sheet in status["sheets"]] == ["completed"]
        assert agent.see("output", job=job["job_id"], sheet="a")["text"] == "out\n"
        assert agent.see("output", job=job["job_id"], stream="err")["text"] == "err\n"
        listed = agent.see("list", all=True, statuses=["completed"])
        assert job["job_id"] in [one["job_id"] for one in listed["jobs"]]
        assert agent.see("explain", job=job["job_id"])["status"] == "completed"
        assert agent.leave() == (0, "")


def test_an_agent_ends_a_job_and_lets_it_go_on(shared: Marianne) -> None:
    with _served(shared, "--write") as agent:
        run = "test -e again || { touch up; sleep 600; }"
        job = agent.see("run", text=SCORE.format(name="ended", run=run))["job_id"]
        until((shared.place / "ended" / "up").exists)
        assert agent.see("wait", job=job, seconds=0)["ended"] is False
        assert agent.see("cancel", job=job)["status"] == "cancelled"
        assert "is cancelled already" in agent.call("cancel", job=job)["content"][0]["text"]
        (shared.place / "ended" / "again").touch()
        agent.see("resume", job=job)
        assert agent.see("wait", job=job, seconds=60)["job"]["status"] == "completed"


def test_an_agent_runs_again_what_failed(shared: Marianne) -> None:
    with _served(shared, "--write") as agent:
        job = agent.see("run", text=SCORE.format(name="again", run="test -e there"), seconds=60)
        assert job["job"]["status"] == "failed"
        (shared.place / "again" / "there").touch()
        agent.see("retry", job=job["job_id"], sheets=["a"])
        assert agent.see("wait", job=job["job_id"], seconds=60)["job"]["status"] == "completed"


def test_a_large_output_comes_in_pieces_that_are_together_the_file(shared: Marianne) -> None:
    with _served(shared, "--write") as agent:
        text = SCORE.format(name="large", run="seq 1 100000")
        job = agent.see("run", text=text, seconds=60)["job_id"]
        seen, cursor = "", {}
        while True:
            piece = agent.see("output", job=job, limit=100_000, **cursor)
            assert len(piece["text"]) <= 100_000
            seen += piece["text"]
            if piece["next_cursor"] is None:
                break
            cursor = {"cursor": piece["next_cursor"]}
        assert seen == "".join(f"{n}\n" for n in range(1, 100_001))
        assert agent.see("output", job=job, limit=64, tail=True)["text"].endswith("\n100000\n")


def test_scores_are_checked_without_a_conductor_and_none_is_started(own: Marianne) -> None:
    own.score("good", "sheets:\n  - {name: a, run: echo}\n")
    with _served(own) as agent:
        report = agent.see("validate", path="good.yaml", render=True)
        assert (report["valid"], report["name"]) == (True, "good")
        assert report["plan"]["sheets"][0]["name"] == "a"
        report = agent.see("validate", text="name: x\nsheets:\n  - {nam: a, run: echo}\n")
        assert report["valid"] is False
        assert (report["problems"][0]["line"], report["more"]) == (3, 0)
        assert "give the path" in agent.call("validate")["content"][0]["text"]
        for tool in ("status", "list"):
            agent.call(tool)
        assert agent.call("run", text="name: x")["isError"]
        assert agent.leave() == (0, "")
    assert own.processes() == {}
    assert not (own.home / "state.db").exists()


def test_an_agent_that_may_act_starts_a_conductor_that_outlives_it(own: Marianne) -> None:
    with _served(own, "--write") as agent:
        job = agent.see("run", text=SCORE.format(name="first", run="echo"), seconds=60)
        assert job["job"]["status"] == "completed"
        assert agent.leave()[0] == 0
    assert own.serves()
    assert own.status(job["job_id"])["status"] == "completed"


def test_a_conductor_that_is_killed_replaced_or_hangs_is_noticed_by_the_next_call(
    mortal: Marianne, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = mortal.play("asked", "sheets:\n  - {name: a, run: echo out}\n")
    with _served(mortal) as agent:
        assert agent.see("output", job=job)["text"] == "out\n"
        os.kill(mortal.pids()["conductor"], signal.SIGKILL)  # its heart starts another
        assert agent.see("output", job=job)["text"] == "out\n"
        mortal("stop")
        said = agent.call("output", job=job)
        assert said["isError"]
        assert "no conductor is running" in said["content"][0]["text"]
        left, listed = agent.see("status", job=job), agent.see("list", all=True)
        assert left["status"] == "completed", "as it was left"
        assert agent.see("status")["conductor"] is None
        assert job in [one["job_id"] for one in listed["jobs"]]
        for said in (left, listed):
            assert said["note"].startswith("no conductor is running: this is how the last one left")
        assert mortal("health", code=None).code == 3, "and none was started"
        mortal("start")
        assert agent.see("output", job=job)["text"] == "out\n"
        assert "note" not in agent.see("status", job=job)
        pid = mortal.pids()["conductor"]
        os.kill(pid, signal.SIGSTOP)
        try:
            until(lambda: _stopped(pid))  # a signal is sent, and then it comes
            said = agent.call("output", job=job)
        finally:
            os.kill(pid, signal.SIGCONT)
        assert said["isError"]
        assert "did not answer within" in said["content"][0]["text"]
        assert agent.see("output", job=job)["text"] == "out\n"


@pytest.mark.parametrize("end", ["input", "kill"])
def test_the_end_of_the_server_ends_nothing_that_it_started(shared: Marianne, end: str) -> None:
    name = f"outlives-{end}"
    with _served(shared, "--write") as agent:
        run = "touch up; until test -e go; do sleep 0.1; done"
        job = agent.see("run", text=SCORE.format(name=name, run=run))
        until((shared.place / name / "up").exists)
        waiting = {"name": "wait", "arguments": {"job": job["job_id"], "seconds": 300}}
        agent.send({"id": "w", "method": "tools/call", "params": waiting})
        if end == "input":
            assert agent.leave() == (0, "")
    (shared.place / name / "go").touch()
    assert shared.wait(job["job_id"])["status"] == "completed"


def test_what_the_program_prints_goes_to_standard_error_and_never_between_the_messages(
    own: Marianne,
) -> None:
    # A warning of the conductor's start is printed by the client that starts it.
    own.env["MARIANNE_JOB_ID"] = "outer"
    with _served(own, "--write") as agent:
        agent.see("run", text=SCORE.format(name="inner", run="echo"), seconds=60)
        assert "runs inside a sheet of outer" in agent.leave()[1]


def test_it_begins_to_serve_with_nothing_heavy_imported(own: Marianne) -> None:
    code = (
        "import sys\n"
        "from marianne.cli import program\n"
        "program.run(['mcp', '--write'])\n"
        "print(*{m.partition('.')[0] for m in sys.modules}, file=sys.stderr)"
    )
    asked = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
    done = subprocess.run(
        [sys.executable, "-c", code],
        input=json.dumps(asked) + "\n",
        env=own.env,
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout)["id"] == 1
    heavy = {"pydantic", "rich", "structlog", "yaml", "jinja2", "pykka", "zmq", "actors", "psutil"}
    assert not heavy & set(done.stderr.split())


PAGE = (Path(__file__).parents[2] / "docs" / "operations.md").read_text()
README = (Path(__file__).parents[2] / "README.md").read_text()
ADDED = re.findall(r"claude mcp add marianne -- ([a-z -]+?)(?=`| {2,})", README + PAGE)
CONFIGURED = json.loads(re.findall(r"```json\n(.*mcpServers.*)\n```", PAGE)[0])["mcpServers"]


def test_the_pages_show_how_clients_are_told() -> None:
    assert set(ADDED) == {"marianne mcp", "marianne mcp --write"}
    assert set(CONFIGURED) == {"marianne"}


@pytest.mark.parametrize(
    "command",
    [
        *map(shlex.split, sorted(set(ADDED))),
        [CONFIGURED["marianne"]["command"], *CONFIGURED["marianne"]["args"]],
    ],
    ids=" ".join,
)
def test_what_the_pages_tell_a_client_to_start_is_a_server_with_the_tools_that_they_name(
    own: Marianne, command: list[str]
) -> None:
    assert command[0] == "marianne"
    with _served(own, *command[2:]) as agent:
        tools = {tool["name"] for tool in agent.ask("tools/list", {})["tools"]}
    looking, acting = (
        set(re.findall(r"`([a-z]+)`", row))
        for row in re.findall(r"^\| ((?:`[a-z]+` ){4,})\|", PAGE, re.MULTILINE)
    )
    assert tools == (looking | acting if "--write" in command else looking)


def test_a_person_who_starts_it_at_a_terminal_is_told_what_it_is(own: Marianne) -> None:
    terminal, theirs = os.openpty()
    with subprocess.Popen(
        [PROGRAM, "mcp"],
        env=own.env,
        stdin=theirs,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        os.close(theirs)
        os.write(terminal, b"\x04")
        out, err = process.communicate(timeout=60)
    os.close(terminal)
    assert (process.returncode, out) == (0, "")
    assert "This is for agents" in err


# -- the official client


MODES = ["legacy", "auto", "2026-07-28"]


@pytest.mark.parametrize("mode", MODES)
def test_the_client_of_the_official_sdk_plays_a_score(shared: Marianne, mode: str) -> None:
    def text(name: str) -> str:
        return SCORE.format(name=f"{name}-{mode}", run="echo from the sheet")

    async def play(client: Any) -> None:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        assert tools["status"].annotations.read_only_hint is True
        assert tools["cancel"].annotations.destructive_hint is True
        report = await client.call_tool("validate", {"text": text("checked")})
        assert report.structured_content["valid"] is True
        done = await client.call_tool("run", {"text": text("played"), "seconds": 60})
        assert not done.is_error, done
        job = done.structured_content["job_id"]
        assert done.structured_content["job"]["status"] == "completed"
        wrote = await client.call_tool("output", {"job": job})
        assert wrote.structured_content["text"] == "from the sheet\n"
        status = await client.call_tool("status", {"job": job})
        assert json.loads(status.content[0].text) == status.structured_content
        wrong = await client.call_tool("explain", {"job": "nobody"})
        assert wrong.is_error
        assert "no job 'nobody'" in wrong.content[0].text

    _by_sdk(shared, play, mode)


def _by_sdk(program: Marianne, play: Callable[[Any], Any], mode: str) -> None:
    sdk = pytest.importorskip("mcp", reason="the SDK of the protocol cannot be installed here")
    import asyncio

    async def run() -> None:
        place = sdk.StdioServerParameters(
            command=str(PROGRAM),
            args=["mcp", "--write"],
            env={"MARIANNE_HOME": str(program.home)},
            cwd=Path(program.place),
        )
        async with sdk.Client(place, mode=mode) as client:
            await play(client)

    asyncio.run(asyncio.wait_for(run(), 120))

"""Calls of tools: each in a thread and with a session of its own, so that none holds up another.

Every question to the conductor has a deadline, so every call ends; one that hangs for a while is
one of a bounded number.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any, Final

from marianne.cli.errors import CliError, unexpected
from marianne.cli.render.out import json_text
from marianne.cli.render.problems import problem_line
from marianne.cli.session import Session
from marianne.mcp import arguments, messages
from marianne.mcp.dialogue import ToCall
from marianne.mcp.messages import Id, Map, Wrong
from marianne.mcp.tool import Tool

AT_ONCE: Final = 16
STOP_SECONDS: Final = 0.8
"""How long a call may take to end that is told to: a wait looks twice a second."""

PROBLEMS: Final = 50

Reply = Callable[[Map | None], None]
"""Sends an answer; None: there is none, and there will be none."""


class _Running:
    """A call under way."""

    def __init__(self, reply: Reply) -> None:
        self.reply = reply
        self.stop = threading.Event()
        self.wanted = True


class Calls:
    """Carries out calls of ``tools``; ``withheld`` are known, but not allowed here."""

    def __init__(
        self, session: Session, tools: Mapping[str, Tool], withheld: Mapping[str, Tool]
    ) -> None:
        self._session = session
        self._tools = tools
        self._withheld = withheld
        self._running: dict[Id, _Running] = {}
        self._changed = threading.Condition()

    def begin(self, id_: Id, call: ToCall, reply: Reply) -> None:
        """Begins a call; ``reply`` gets its answer when it is there. Raises Wrong."""
        tool = self._tools.get(call.name)
        if tool is None and call.name not in self._withheld:
            known = ", ".join(self._tools)
            text = f"there is no tool {call.name!r}; there are {known}"
            raise Wrong(messages.INVALID_PARAMS, text)
        with self._changed:
            if id_ in self._running:
                raise Wrong(messages.INVALID_REQUEST, f"the request {id_!r} is still under way")
            full = len(self._running) >= AT_ONCE
            running = _Running(reply)
            if tool is not None and not full:
                self._running[id_] = running
        if tool is None:
            error = CliError(
                "not_allowed",
                f"{call.name} changes something, and this server only looks",
                "a person can allow it: marianne mcp --write",
            )
            reply(messages.result(id_, call.finish(refused(error))))
        elif full:
            text = f"{AT_ONCE} calls are under way: no more at once"
            error = CliError("unavailable", text, "wait for the answer of one, then ask again")
            reply(messages.result(id_, call.finish(refused(error))))
        else:
            self._start(id_, tool, call, running)

    def _start(self, id_: Id, tool: Tool, call: ToCall, running: _Running) -> None:
        run = threading.Thread(target=self._run, args=(id_, tool, call, running), daemon=True)
        try:
            run.start()
        except RuntimeError as error:  # the machine has no thread more
            self._end(id_)
            refusal = CliError("unavailable", f"no call can begin: {error}", "ask again later")
            running.reply(messages.result(id_, call.finish(refused(refusal))))

    def cancel(self, id_: Id) -> None:
        """Nobody wants this answer any more; one that is unknown, or on its way, is none of ours.

        What the call has done stays done.
        """
        with self._changed:
            running = self._running.get(id_)
            if running is None or not running.wanted:
                return
            running.wanted = False
        running.stop.set()
        running.reply(None)

    def finish(self, seconds: float) -> None:
        """Returns when every call has ended. After ``seconds`` each is told that its answer is
        wanted at once; what then still hangs is left."""
        if not self._over(seconds):
            with self._changed:
                for running in self._running.values():
                    running.stop.set()
            self._over(STOP_SECONDS)

    def _over(self, seconds: float) -> bool:
        with self._changed:
            return self._changed.wait_for(lambda: not self._running, seconds)

    def _run(self, id_: Id, tool: Tool, call: ToCall, running: _Running) -> None:
        session = self._session.another()
        try:
            arguments.check(tool.name, tool.schema, call.arguments)
            answer = told(tool.play(session, call.arguments, running.stop))
        except CliError as error:
            answer = refused(error)
        except Exception as error:  # noqa: BLE001 - a client never sees a traceback
            answer = refused(unexpected(error))
        finally:
            session.close()
        with self._changed:
            wanted, running.wanted = running.wanted, False
        if wanted:
            running.reply(messages.result(id_, call.finish(answer)))
        self._end(id_)

    def _end(self, id_: Id) -> None:
        with self._changed:
            self._running.pop(id_)
            self._changed.notify_all()


def told(value: Map) -> Map:
    """The result of a call that did what it was asked: for programs, and the same as a text."""
    text = json_text(value)
    return {
        "content": [{"type": "text", "text": text}],
        "structuredContent": value,
        "isError": False,
    }


def refused(error: CliError) -> Map:
    """The result of a call that could not: what was wrong, and what to do next."""
    lines = [f"error ({error.code}): {error.message}"]
    problems: list[Any] = error.data.get("problems") or [] if isinstance(error.data, dict) else []
    lines += [problem_line(problem) for problem in problems[:PROBLEMS]]
    lines += [f"and {len(problems) - PROBLEMS} more"] * (len(problems) > PROBLEMS)
    lines += [f"hint: {error.hint}"] * bool(error.hint)
    return {"content": [{"type": "text", "text": "\n".join(lines)}], "isError": True}

"""``--processes N``: N processes run the tests, all forked from the one that has collected them.

To import and collect all tests takes some ten seconds of a processor: here once, not once for each
process. Who runs a test is decided as late as can be, and goes by modules, so that what a module
makes for all its tests is made once: a process takes a module that nobody has begun, half of them
the slow ones first and half the others, and when there is none a test of the module that has most
left. A process that dies fails the test that it was at, and another takes its place.

Warnings that tests leave are not told: they are errors here.
"""

from __future__ import annotations

import gc
import os
import sys
import traceback
from collections import deque
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, Pipe, wait
from typing import Any, TextIO

import pytest
from _pytest.config import create_terminal_writer


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--processes", type=int, default=1, help="how many run the tests")


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> bool | None:
    config = session.config
    number = min(config.getoption("--processes"), len(session.items))
    if number < 2 or config.option.collectonly:
        return None
    if session.testsfailed and not config.option.continue_on_collection_errors:
        raise session.Interrupted(f"{session.testsfailed} errors during collection")
    gc.collect()
    gc.freeze()  # else each process copies all of it, when it first looks through it for garbage
    Runners(session, number).run()
    return True


# -- who runs what


class Shares:
    """The tests that nobody has been given yet, by their places in the list of all."""

    def __init__(self, modules: Iterable[tuple[bool, list[int]]]) -> None:
        self._unbegun: tuple[deque[deque[int]], ...] = (deque(), deque())
        self._begun: list[deque[int]] = []
        for slow, numbers in modules:
            self._unbegun[not slow].append(deque(numbers))

    def next(self, module: deque[int] | None, side: int) -> tuple[int, deque[int]] | None:
        """A test for who is at this module, and its module; None: there is no other. ``side`` is
        of which half of the processes he is."""
        if not module:
            module = self._other(side)
        return None if module is None else (module.popleft(), module)

    def _other(self, side: int) -> deque[int] | None:
        for modules in (self._unbegun[side], self._unbegun[not side]):
            if modules:
                self._begun.append(module := modules.popleft())
                return module
        self._begun = [module for module in self._begun if module]
        return max(self._begun, key=len, default=None)

    def give_back(self, number: int) -> None:
        self._begun.append(deque([number]))


def modules_of(items: list[pytest.Item]) -> list[tuple[bool, list[int]]]:
    """The tests of each module in their order, and whether any of them is slow."""
    found: dict[str, list[int]] = {}
    for number, item in enumerate(items):
        found.setdefault(item.nodeid.partition("::")[0], []).append(number)
    return [
        (any(items[one].get_closest_marker("slow") for one in numbers), numbers)
        for numbers in found.values()
    ]


# -- the process that has collected them


@dataclass(eq=False)
class Runner:
    """A process that runs tests: what it was given and has not ended, the first is under way."""

    pid: int
    line: Connection
    side: int
    given: deque[int]
    module: deque[int] | None = None


class Runners:
    """Forks them, gives them tests, hands on what they report."""

    def __init__(self, session: pytest.Session, number: int) -> None:
        self._session = session
        self._config = session.config
        self._shares = Shares(modules_of(session.items))
        self._made = 0
        self._all: list[Runner] = []
        session.config._tmp_path_factory.getbasetemp()  # type: ignore[attr-defined]
        for _ in range(number):
            self._fork()

    def run(self) -> None:
        """Until all tests have ended, or enough have failed."""
        try:
            while self._all:
                for line in wait([runner.line for runner in self._all]):
                    self._hear(next(one for one in self._all if one.line is line))
                    self._look_whether_to_go_on()
        finally:
            for runner in self._all:  # it ends what it has begun, and what its tests share
                runner.line.close()
                os.waitpid(runner.pid, 0)

    def _fork(self) -> None:
        ours, theirs = Pipe()
        sys.stdout.flush()
        sys.stderr.flush()
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                for other in self._all:
                    other.line.close()
                ours.close()
                work(self._session, theirs, self._made)
                status = 0
            except BaseException:  # noqa: BLE001 - the process ends
                traceback.print_exc()
            finally:
                os._exit(status)
        theirs.close()
        self._all.append(Runner(pid, ours, self._made % 2, deque()))
        self._made += 1

    def _hear(self, runner: Runner) -> None:
        try:
            told = runner.line.recv()
        except (EOFError, OSError):
            self._all.remove(runner)
            runner.line.close()
            status = os.waitstatus_to_exitcode(os.waitpid(runner.pid, 0)[1])
            if runner.given or status:
                self._died(runner, status)
            return
        if told == "next":
            self._give(runner)
        elif told == "ended":
            runner.given.popleft()
        else:
            hook = self._config.hook
            report = hook.pytest_report_from_serializable(config=self._config, data=told)
            hook.pytest_runtest_logreport(report=report)

    def _give(self, runner: Runner) -> None:
        found = self._shares.next(runner.module, runner.side)
        number, runner.module = found or (None, None)
        try:
            runner.line.send(number)
        except OSError:  # it has died
            if number is not None:
                self._shares.give_back(number)
            return
        if number is not None:
            runner.given.append(number)

    def _died(self, runner: Runner, status: int) -> None:
        number = runner.given.popleft() if runner.given else None
        for other in runner.given:
            self._shares.give_back(other)
        if number is None:
            raise RuntimeError(f"a process ended with {status} at the end of the tests")
        item = self._session.items[number]
        said = f"the process that ran this test ended with {status}"
        report = pytest.TestReport(item.nodeid, item.location, {}, "failed", said, "call")
        self._config.hook.pytest_runtest_logreport(report=report)
        self._fork()

    def _look_whether_to_go_on(self) -> None:
        if self._session.shouldfail:
            raise self._session.Failed(self._session.shouldfail)
        if self._session.shouldstop:
            raise self._session.Interrupted(self._session.shouldstop)


# -- a process that runs tests


class Teller:
    """What becomes of a test is told, and not written."""

    def __init__(self, config: pytest.Config, line: Connection) -> None:
        self._config = config
        self._line = line

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        hook = self._config.hook
        self.say(hook.pytest_report_to_serializable(config=self._config, report=report))

    def say(self, what: Any) -> None:
        with suppress(OSError):  # nobody hears: who asks for a test learns that
            self._line.send(what)

    def next(self) -> int | None:
        self.say("next")
        try:
            number: int | None = self._line.recv()
        except (EOFError, OSError):
            return None
        return number


class Silent:
    """In the place of who writes on the terminal; the stacks of a test whose time is up go here."""

    def __init__(self, config: pytest.Config, errors: TextIO) -> None:
        self._tw = create_terminal_writer(config, errors)


def work(session: pytest.Session, line: Connection, number: int) -> None:
    """Runs what it is given; when there is no more, or nobody who gives, ends what its tests
    share."""
    teller = _apart(session.config, line, number)

    def another() -> pytest.Item | None:
        given = teller.next()
        return None if given is None else session.items[given]

    try:
        item = another()
        while item is not None:
            following = another()
            session.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
            teller.say("ended")
            item = following
    finally:
        session._setupstate.teardown_exact(None)  # where somebody interrupted it


def _apart(config: pytest.Config, line: Connection, number: int) -> Teller:
    """What it has of its own: files for what tests write, directories for theirs."""
    plugins = config.pluginmanager
    capture: Any = plugins.getplugin("capturemanager")
    capture.stop_global_capturing()
    errors = os.fdopen(os.dup(2), "w")
    capture.start_global_capturing()
    capture.suspend_global_capture()
    plugins.unregister(name="terminalreporter")
    if plugins.has_plugin("terminalprogress"):
        plugins.unregister(name="terminalprogress")
    plugins.register(Silent(config, errors), "terminalreporter")
    teller = Teller(config, line)
    plugins.register(teller)
    factory: Any = config._tmp_path_factory  # type: ignore[attr-defined]
    factory._basetemp = factory._basetemp / f"p{number}"
    factory._basetemp.mkdir(mode=0o700)
    return teller

"""Signal handlers, forks and the interpreter's end: places where no lock may be waited for."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable

import pytest

from actors import Actor, ActorDied, NoSuchActor, StartError, Supervisor, System
from actors.mailbox import Mailbox
from actors.runtime import RealRuntime

Eventually = Callable[[Callable[[], object]], None]


class Counter(Actor):
    mailbox_limit = None
    mailbox_high = 10**9

    def __init__(self) -> None:
        self.count = 0

    def add(self) -> None:
        self.count += 1

    def read(self) -> int:
        return self.count


COUNTER = """
import signal, threading
from actors import Actor, System

class Counter(Actor):
    mailbox_limit = None
    mailbox_high = 10**9
    count = 0
    def add(self): self.count += 1
    def read(self): return self.count

"""
"""The beginning of a program."""


def run(program: str, timeout: float = 60.0, begin: str = "") -> str:
    """What the program prints; it must end by itself."""
    done = subprocess.run(
        [sys.executable, "-c", begin + textwrap.dedent(program)],
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
def test_a_tell_that_a_signal_interrupts_with_an_exception_leaves_no_lock_taken() -> None:
    printed = run(
        """
        class Interrupted(Exception): pass

        def handler(*_):
            raise Interrupted

        ref = System().spawn(Counter)
        over = threading.Event()
        def beside():  # so that the lock is sometimes waited for
            while not over.is_set():
                ref.tell(Counter.add)
                ref.within(None).ask(Counter.read)
        helper = threading.Thread(target=beside)
        helper.start()
        signal.signal(signal.SIGALRM, handler)
        for _ in range(1500):
            try:
                signal.setitimer(signal.ITIMER_REAL, 0.0005)
                while True:
                    ref.tell(Counter.add)
            except Interrupted:
                pass
            ref.within(10).ask(Counter.read)
        over.set()
        helper.join()
        print("done")
        """,
        begin=COUNTER,
    )
    assert printed == "done\n"


class HeldRuntime(RealRuntime):
    """Its reentrant lock is one that the test holds."""

    held = threading.RLock()
    reentrant_lock = staticmethod(lambda: HeldRuntime.held)


def test_what_interrupts_a_wait_for_a_mailbox_is_what_its_sender_sees() -> None:
    mailbox = Mailbox(Counter(), HeldRuntime(), None, "fail", 10)
    taken, over = threading.Event(), threading.Event()

    def hold() -> None:
        with HeldRuntime.held:
            taken.set()
            over.wait(60)

    def interrupt(*_: object) -> None:
        raise InterruptedError

    holder = threading.Thread(target=hold)
    holder.start()
    taken.wait()
    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        with pytest.raises(InterruptedError):
            mailbox.put(("add", (), {}, None))
    finally:
        signal.signal(signal.SIGALRM, before)
        over.set()
        holder.join()
    assert mailbox.put(("add", (), {}, None)) == "ok"
    assert len(mailbox) == 1


@pytest.mark.slow
def test_a_signal_handler_may_tell_and_stop_whatever_it_interrupts() -> None:
    printed = run(
        """
        system = System()
        ref = system.spawn(Counter)
        dead = system.spawn(Counter)
        dead.stop(); dead.join()
        told = 0

        def handler(*_):
            global told
            told += 1
            ref.tell(Counter.add)
            dead.tell(Counter.add)
            dead.stop()

        signal.signal(signal.SIGALRM, handler)
        signal.setitimer(signal.ITIMER_REAL, 0.0002, 0.0002)
        mine = 0
        while told < 3000:
            for _ in range(50):
                ref.tell(Counter.add)
                dead.tell(Counter.add)
                mine += 1
        signal.setitimer(signal.ITIMER_REAL, 0)
        assert ref.within(None).ask(Counter.read) == mine + told
        signal.signal(signal.SIGALRM, lambda *_: ref.stop())
        signal.raise_signal(signal.SIGALRM)
        assert ref.join(10)
        print("done")
        """,
        begin=COUNTER,
    )
    assert printed == "done\n"


def in_a_fork(act: Callable[[], object]) -> int:
    """The exit code of a forked child that does this: 0 when it returned."""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            signal.alarm(20)
            act()
            code = 0
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_in_a_forked_child_every_actor_is_dead_and_nothing_hangs(system: System) -> None:
    ref = system.spawn(Counter, name="a")
    sup = system.spawn(Supervisor, "one_for_one", [])
    handle = system.handle(Counter, "a")

    def act() -> None:
        with pytest.raises(ActorDied, match="fork"):
            ref.within(None).ask(Counter.read)
        with pytest.raises(NoSuchActor):
            handle.within(None).ask(Counter.read)
        ref.tell(Counter.add)
        ref.stop()
        assert ref.join()
        assert not ref.alive
        with pytest.raises(ActorDied):
            sup.ask(Supervisor.count_children)
        with pytest.raises(StartError):
            system.spawn(Counter)
        assert system.tree() == []
        assert system.shutdown() == []
        assert system.stop(ref)
        system.timers.after(0, lambda: None)
        fresh = System("of the child")
        assert fresh.spawn(Counter).ask(Counter.read) == 0
        fresh.shutdown()

    stop = threading.Event()

    def busy() -> None:  # so that locks are held at the fork, now and then
        while not stop.is_set():
            ref.tell(Counter.add)
            system.spawn(Actor).stop()

    threads = [threading.Thread(target=busy) for _ in range(2)]
    for thread in threads:
        thread.start()
    codes = [in_a_fork(act) for _ in range(10)]
    stop.set()
    for thread in threads:
        thread.join()
    assert codes == [0] * 10
    assert ref.ask(Counter.read) >= 0


def test_a_system_that_nobody_shut_down_is_shut_down_at_exit() -> None:
    printed = run(
        """
        from actors import Actor, System

        class Last(Actor):
            def on_stop(self, reason):
                print("stopped:", reason, flush=True)

        System().spawn(Last)
        """
    )
    assert printed == "stopped: shutdown\n"


@pytest.mark.slow
def test_a_stuck_actor_does_not_keep_the_interpreter_for_long() -> None:
    printed = run(
        """
        import threading, time
        from actors import Actor, System

        class Stuck(Actor):
            def hang(self):
                entered.set()
                time.sleep(600)

        entered = threading.Event()
        System().spawn(Stuck).tell(Stuck.hang)
        entered.wait()
        print("the end", flush=True)
        """,
        timeout=60,
    )
    assert printed == "the end\n"

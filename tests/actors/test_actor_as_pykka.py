"""An actor of ours, used as a pykka user uses his."""

from __future__ import annotations

import gc
import logging
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from typing import Any

import pykka
import pytest

from actors import Actor, ActorDied, ExitReason, MailboxFull, Promise, Supervisor, System
from actors.as_pykka import system_of_the_process

Eventually = Callable[[Callable[[], object]], None]


@pytest.fixture(autouse=True)
def nobody_left() -> Iterator[None]:
    assert pykka.ActorRegistry.get_all() == []
    yield
    pykka.ActorRegistry.stop_all()


class Account(Actor):
    def __init__(self, balance: int = 0, log: list[str] | None = None) -> None:
        self.balance = balance
        self.log = log if log is not None else []

    def deposit(self, amount: int) -> int:
        if amount <= 0:
            raise ValueError("deposit something")
        self.balance += amount
        return self.balance

    def hold(self, gate: threading.Event) -> None:
        gate.wait(10)

    def on_receive(self, message: Any) -> Any:
        self.log.append(message)
        return f"{message} heard"


class Old(Account):
    """With the hooks as pykka has them."""

    def on_stop(self) -> None:  # type: ignore[override]
        self.log.append("stopped")

    def on_failure(self, *failure: Any) -> None:
        self.log.append("".join(traceback.format_exception(*failure)))


def test_start_returns_a_ref_of_pykka_itself_that_tells_asks_and_stops() -> None:
    ref = Account.start(balance=100)
    assert type(ref) is pykka.ActorRef
    assert ref.actor_class is Account
    ref.tell("one")
    assert ref.ask("two") == "two heard"
    assert ref.ask("three", block=False).get(timeout=5) == "three heard"
    assert ref.proxy().log.get() == ["one", "two", "three"]
    assert ref.is_alive()
    assert ref.stop()
    assert not ref.is_alive()
    assert not ref.stop()
    with pytest.raises(pykka.ActorDeadError):
        ref.tell("four")


def test_a_proxy_calls_reads_and_sets() -> None:
    proxy = Account.start(100).proxy()
    proxy.deposit.defer(1)
    assert proxy.deposit(1).get() == 102
    proxy.balance = 7
    assert proxy.balance.get() == 7
    with pytest.raises(AttributeError):
        proxy.withdraw(1)


def test_its_futures_are_composed_as_pykkas() -> None:
    proxy = Account.start(1).proxy()
    assert proxy.deposit(1).map(str).get() == "2"
    assert proxy.deposit(1).join(proxy.deposit(1)).get() == [3, 4]
    assert proxy.log.filter(bool).reduce(lambda a, b: a + b, "").get() == ""
    assert pykka.get_all([proxy.deposit(1), proxy.balance]) == [5, 5]
    hooked = pykka.ThreadingFuture[int]()
    hooked.set_get_hook(lambda timeout: proxy.balance.get(timeout=timeout))
    assert hooked.get(timeout=5) == 5


def test_pykkas_registry_has_it_while_it_lives() -> None:
    first, second = Account.start(), Old.start()
    assert pykka.ActorRegistry.get_by_class(Account) == [first, second]  # type: ignore[type-var]
    assert pykka.ActorRegistry.get_by_class_name("Old") == [second]
    assert pykka.ActorRegistry.get_by_urn(first.actor_urn) is first
    pykka.ActorRegistry.broadcast("all")
    assert first.proxy().log.get() == second.proxy().log.get() == ["all"]
    assert pykka.ActorRegistry.stop_all() == [True, True]
    assert pykka.ActorRegistry.get_all() == []


def test_an_exception_of_what_a_pykka_ref_asks_is_the_answer_and_the_actor_lives_on() -> None:
    log: list[str] = []
    proxy = Old.start(log=log).proxy()
    with pytest.raises(ValueError, match="deposit something") as raised:
        proxy.deposit(0).get()
    frames = traceback.extract_tb(raised.value.__traceback__)
    assert "deposit" in [frame.name for frame in frames]
    assert proxy.deposit(1).get() == 1
    assert log == []


def test_an_exception_of_what_it_tells_ends_the_actor_by_on_failure_instead_of_pykkas_on_stop(
    eventually: Eventually,
) -> None:
    log: list[str] = []
    ref = Old.start(log=log)
    ref.proxy().deposit.defer(0)
    eventually(lambda: log)
    assert 'raise ValueError("deposit something")' in log[0]
    assert not ref.is_alive()
    assert ref not in pykka.ActorRegistry.get_all()
    assert ref.actor_stopped.wait(5)
    eventually(lambda: len(system_of_the_process().registry) == 0)
    assert len(log) == 1


def test_what_init_raises_the_starter_gets_and_nothing_is_left() -> None:
    class Unborn(Actor):
        def __init__(self) -> None:
            self.actor_ref.tell("nobody will read it")
            raise KeyError("no")

    with pytest.raises(KeyError, match="no"):
        Unborn.start()
    assert pykka.ActorRegistry.get_all() == []
    assert system_of_the_process().tree() == []


def test_start_does_not_wait_for_on_start_and_a_failure_there_is_a_dead_ref(
    caplog: pytest.LogCaptureFixture,
) -> None:
    gate = threading.Event()

    class Slow(Actor):
        def on_start(self) -> None:
            assert pykka.ActorRegistry.get_by_urn(self.actor_urn) is self.actor_ref
            gate.wait(10)
            raise OSError("no disk")

    ref = Slow.start()
    asked = ref.ask("hello", block=False)
    gate.set()
    with pytest.raises(pykka.ActorDeadError) as dead:
        asked.get(timeout=10)
    assert isinstance(dead.value.__cause__, ActorDied)
    assert isinstance(dead.value.__cause__.reason.error, OSError)
    assert not ref.is_alive()
    assert pykka.ActorRegistry.get_all() == []
    assert f"Unhandled exception in {ref}:" in caplog.messages


def test_a_pykka_stop_waits_its_turn_and_is_answered_after_on_stop() -> None:
    gate, log = threading.Event(), list[str]()
    ref = Old.start(log=log)
    ref.proxy().hold.defer(gate)
    ref.tell("before")
    stopping = [ref.stop(block=False), ref.stop(block=False)]
    late = ref.ask("after", block=False)
    gate.set()
    assert [future.get(timeout=10) for future in stopping] == [True, True]
    assert log == ["before", "stopped"]
    with pytest.raises(pykka.ActorDeadError):
        late.get(timeout=10)


def test_a_spawned_actor_has_a_pykka_ref_made_when_it_is_asked_for(system: System) -> None:
    ref = system.spawn(Account, 5, name="alice")
    actor: Any = ref.cell().actor
    assert "_actor_ref" not in vars(actor)
    assert ref.actor_ref is system.handle(Account, "alice").actor_ref is actor.actor_ref
    assert ref.actor_ref.proxy().deposit(1).get() == ref.ask(Account.deposit, 1) - 1 == 6
    assert pykka.ActorRegistry.get_all() == []  # it is its system's
    assert system.inspect(ref).state() == {"balance": 7, "log": []}


def test_messages_of_both_kinds_of_ref_are_served_in_the_order_in_which_they_came(
    system: System,
) -> None:
    ref, gate = system.spawn(Account), threading.Event()
    ref.tell(Account.hold, gate)
    for number in range(0, 6, 2):
        ref.actor_ref.tell(str(number))
        ref.tell(Account.on_receive, str(number + 1))
    gate.set()
    assert ref.actor_ref.proxy().log.get() == list("012345")


def test_a_kill_is_the_end_for_pykkas_refs_too(system: System) -> None:
    ref, gate = system.spawn(Account), threading.Event()
    pykka.ActorRegistry.register(ref.actor_ref)
    serving, waiting = (ref.actor_ref.proxy().hold(gate) for _ in range(2))
    old = ref.actor_ref
    system.kill(ref)
    for future in (serving, waiting):
        with pytest.raises(pykka.ActorDeadError) as dead:
            future.get(timeout=10)
        assert isinstance(dead.value.__cause__, ActorDied)
        assert dead.value.__cause__.reason.kind == "killed"
    assert not old.is_alive()
    assert pykka.ActorRegistry.get_all() == []
    gate.set()


def test_on_failure_runs_before_an_on_stop_that_takes_a_reason_and_cannot_keep_it_out(
    system: System,
) -> None:
    log: list[str] = []

    class Both(Actor):
        def crash(self) -> None:
            raise ValueError("broken")

        def on_failure(self, *failure: Any) -> None:
            log.append(f"failed: {failure[1]} {failure[2] is not None}")
            raise SystemExit

        def on_stop(self, reason: ExitReason) -> None:
            log.append(f"stopped: {reason}")

    ref = system.spawn(Both)
    ref.tell(Both.crash)
    assert ref.join(10)
    assert log == ["failed: broken True", "stopped: error: ValueError: broken"]


def test_a_system_exit_ends_one_actor_and_not_all_of_the_process(eventually: Eventually) -> None:
    class Leaving(Old):
        def leave(self) -> None:
            raise SystemExit

    log: list[str] = []
    other, leaving = Account.start(), Leaving.start(log=log)
    asked = leaving.proxy().leave()
    with pytest.raises(pykka.ActorDeadError):
        asked.get(timeout=10)
    eventually(lambda: log == ["stopped"])  # as in pykka: no Exception, no on_failure
    assert other.is_alive()


def test_a_handler_may_promise_its_answer_to_a_pykka_ref() -> None:
    class Later(Actor):
        promised: Promise[int]

        def ask_me(self) -> Promise[int]:
            self.promised = self.promise()
            return self.promised

        def fulfil(self, value: int) -> None:
            self.promised.set(value)

    proxy = Later.start().proxy()
    answer = proxy.ask_me()
    proxy.fulfil(7)
    assert answer.get(timeout=10) == 7


def test_the_mailbox_limit_holds_for_pykkas_refs(system: System) -> None:
    class Small(Account):
        mailbox_limit = 1

    ref, gate = system.spawn(Small), threading.Event()
    ref.tell(Small.hold, gate)
    while len(ref.cell().mailbox):
        pass
    ref.actor_ref.tell("fits")
    with pytest.raises(MailboxFull):
        ref.actor_ref.tell("does not")
    with pytest.raises(MailboxFull):
        ref.actor_ref.ask("does not")
    gate.set()


def test_an_asker_that_settles_its_own_future_harms_nobody_else(
    system: System, eventually: Eventually
) -> None:
    ref, gate = system.spawn(Account), threading.Event()
    ref.tell(Account.hold, gate)
    ref.actor_ref.ask("one", block=False).set("I know")
    gate.set()
    assert ref.actor_ref.ask("two") == "two heard"
    assert system.dead_letters == {"late_reply": 1}


def test_its_start_and_its_end_are_events_of_the_system_of_the_process() -> None:
    told: list[tuple[str, str]] = []
    remove = system_of_the_process().on_event(lambda event: told.append((event.kind, event.name)))
    ref = Account.start()
    assert ref.stop()
    remove()
    (name,) = {name for _, name in told}
    assert told[0] == ("started", name)


def test_a_supervisor_is_started_pykkas_way_too() -> None:
    ref = Supervisor.start("one_for_one", [])
    assert ref.proxy().count_children().get()["specs"] == 0
    assert ref.stop()


def test_an_actor_that_nobody_started_has_a_urn_as_in_pykka() -> None:
    actor = Account(1)
    assert actor.actor_urn in str(actor)
    assert actor.actor_ref.actor_urn == actor.actor_urn
    assert actor.actor_inbox.empty()


def test_an_ended_actor_is_garbage_without_the_collector(
    system: System, eventually: Eventually, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Or pytest keeps the log's traceback, which has the actor.
    monkeypatch.setattr(logging.getLogger("pykka"), "propagate", False)
    ref = system.spawn(Old)
    pykkas = ref.actor_ref
    gc.disable()
    try:
        ref.tell(Old.deposit, 0)
        assert ref.join(10)
        eventually(lambda: pykkas._actor_weakref() is None)
    finally:
        gc.enable()


PROGRAM = """
import threading
from actors import Actor

class Worker(Actor):
    use_daemon_thread = {daemon}

    def work(self):
        begun.set()
        gate.wait(60)
        print("done")
        self.stop()

    def on_stop(self):
        print("stopped")

begun, gate = threading.Event(), threading.Event()
Worker.start().proxy().work()
begun.wait(60)
threading.Timer(0.05, gate.set).start()
"""


@pytest.mark.slow
@pytest.mark.parametrize("daemon", [False, True])
def test_the_program_lives_on_until_its_actors_have_stopped_as_in_pykka(daemon: bool) -> None:
    program = PROGRAM.format(daemon=daemon)
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, timeout=60, text=True, check=False
    )
    assert ran.stderr == ""
    # A daemon is stopped at the interpreter's end, after the message in hand.
    assert ran.stdout == "done\nstopped\n"

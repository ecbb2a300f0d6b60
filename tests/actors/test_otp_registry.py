"""registry_test and unique_test: one owner a name. Named for the cases there."""

from __future__ import annotations

import pytest

from actors import Actor, ActorRef, NameTaken, NoSuchActor, StartError, System


class Member(Actor):
    def take(self, name: str) -> None:
        try:
            self.register(name)
        except NameTaken as taken:
            self.taken = taken.incarnation

    def owner(self) -> int:
        return self.taken

    def free(self, name: str) -> None:
        self.unregister(name)

    def crash(self) -> None:
        raise ValueError("crash")


def owner(system: System, name: str) -> ActorRef[Member] | None:
    return system.whereis(name)


def test_clean_up_registry_on_process_crash(system: System) -> None:
    """No name is left of an actor that crashed."""
    ref = system.spawn(Member, name="a")
    ref.ask(Member.take, "second")
    ref.tell(Member.crash)
    assert ref.join(5)
    assert system.registry.names() == []


def test_counts_0_keys_in_an_empty_registry_counts_the_number_of_keys(system: System) -> None:
    assert len(system.registry) == 0
    system.spawn(Member, name="a").ask(Member.take, "b")
    assert len(system.registry) == 2


def test_has_unique_registrations_across_processes(system: System) -> None:
    """The second to register learns who owns the name."""
    first = system.spawn(Member, name="a")
    second = system.spawn(Member, name="b")
    second.ask(Member.take, "a")
    assert second.ask(Member.owner) == first.incarnation
    with pytest.raises(StartError, match="already_started"):
        system.spawn(Member, name="a")


def test_has_unique_registrations_even_if_partition_is_delayed(system: System) -> None:
    """The name of a killed owner is free at once, though its thread is still busy."""
    import threading

    gate = threading.Event()
    entered = threading.Event()

    class Busy(Member):
        def work(self) -> None:
            entered.set()
            gate.wait(5)

    old = system.spawn(Busy, name="a")
    old.tell(Busy.work)
    assert entered.wait(5)
    system.kill(old)
    new = system.spawn(Member, name="a")
    gate.set()
    assert owner(system, "a") == new


def test_unregisters_process_by_key_with_no_entries_is_ok(system: System) -> None:
    """Only the owner's call frees a name; freeing what one has not is nothing."""
    a = system.spawn(Member, name="a")
    b = system.spawn(Member, name="b")
    a.ask(Member.take, "x")
    b.ask(Member.free, "x")
    assert owner(system, "x") == a
    a.ask(Member.free, "x")
    a.ask(Member.free, "x")
    assert owner(system, "x") is None


def test_allows_listeners(system: System) -> None:
    """Each taking and freeing is told."""
    told: list[tuple[str, str, int]] = []
    system.registry.subscribe(lambda *change: told.append(change))
    ref = system.spawn(Member, name="a")
    ref.stop()
    assert ref.join(5)
    assert told == [("register", "a", ref.incarnation), ("unregister", "a", ref.incarnation)]


def test_raises_on_unknown_registry_name(system: System) -> None:
    with pytest.raises(NoSuchActor, match="nobody"):
        system.handle(Member, "nobody").ask(Member.crash)


def test_via_callbacks(system: System) -> None:
    """Started under a name: found, sent to, and refused a second time."""
    ref = system.spawn(Member, name="a")
    assert system.whereis("a") == ref
    system.handle(Member, "a").ask(Member.take, "b")
    assert system.whereis("b") == ref


def test_compares_using_equality_of_texts(system: System) -> None:
    """Names that look alike differ."""
    a, b = system.spawn(Member, name="1"), system.spawn(Member, name="1.0")
    assert a != b
    assert sorted(system.registry.names()) == ["1", "1.0"]


def test_doesnt_grow_on_already_registered_across_processes(system: System) -> None:
    """A refused registration leaves nothing behind."""
    system.spawn(Member, name="a")
    b = system.spawn(Member, name="b")
    for _ in range(10):
        b.ask(Member.take, "a")
    b.ask(Member.take, "b")
    assert sorted(system.registry.names()) == ["a", "b"]
    assert list(b.cell().names) == ["b"]


def test_register_of_an_own_name_again_is_nothing(system: System) -> None:
    a = system.spawn(Member, name="a")
    a.ask(Member.take, "x")
    a.ask(Member.take, "x")
    assert list(a.cell().names) == ["a", "x"]

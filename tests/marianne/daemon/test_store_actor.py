"""The store as an actor: what it keeps while the disk fails, and what it forgets."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from actors import ActorDied, Handle, System
from marianne.daemon.context import Context
from marianne.daemon.services import store as store_module
from marianne.daemon.services.store import Store
from marianne.daemon.shared import storage as storage_module
from marianne.daemon.shared.figures import Figures
from marianne.daemon.shared.storage import Storage
from marianne.state.changes import AddEvent, Change, SetMeta
from marianne.state.database import Database
from marianne.state.errors import StoreError, StoreFull
from marianne.state.reader import Reader
from marianne.state.retention import RetentionPolicy


class Disk(Database):
    """A database whose commits can be made to fail, or to wait at a gate."""

    broken = threading.Event()
    gate = threading.Event()

    def write_many(self, batches: Any) -> Any:
        self.gate.wait(10.0)
        if self.broken.is_set():
            raise StoreFull("the disk is full")
        return super().write_many(batches)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SimpleNamespace]:
    monkeypatch.setattr(store_module, "Database", Disk)
    monkeypatch.setattr(store_module, "RETRY_FIRST", 0.01)
    Disk.broken.clear()
    Disk.gate.set()
    system = System("test")
    told: list[str] = []
    ear = SimpleNamespace(tell=lambda method, *_: told.append(method.__name__))
    context = SimpleNamespace(
        home=SimpleNamespace(db=tmp_path / "state.db"),
        storage=Storage(tmp_path),
        events=ear,
        scheduler=ear,
        figures=Figures(),
        manager=ear,
    )
    system.spawn(Store, cast("Context", context), name="store")
    yield SimpleNamespace(
        context=context,
        told=told,
        system=system,
        store=system.handle(Store, "store"),
        db=tmp_path / "state.db",
    )
    Disk.gate.set()
    system.shutdown(timeout=5.0)


def _note(text: str) -> list[Change]:
    return [AddEvent(None, None, text, {}, 1.0)]


def _events(db: Path) -> list[str]:
    with Reader(db) as reader:
        return [event.event for event in reader.events.since(0)]


def _until(condition: Callable[[], object]) -> None:
    for _ in range(1_000):
        if condition():
            return
        threading.Event().wait(0.01)
    raise AssertionError("it did not come true")


def _until_well(home: SimpleNamespace) -> None:
    _until(lambda: home.context.storage.problem is None)


def test_while_the_disk_is_full_kept_writes_wait_and_others_fail(home: SimpleNamespace) -> None:
    store: Handle[Store] = home.store
    Disk.broken.set()
    kept = store.within(None).call(Store.write, _note("kept"))
    # Whether it joins the batch that fails or comes after it: refused, and told why.
    with pytest.raises(StoreError, match="full"):
        store.ask(Store.write, _note("asked"), kept=False)
    assert "full" in home.context.storage.problem
    with pytest.raises(StoreError, match="full"):
        store.ask(Store.write, _note("asked again"), kept=False)
    assert not kept.done
    Disk.broken.clear()
    assert [event.event for event in kept.get(5.0)] == ["kept"]
    _until(lambda: {"dispatch", "pressure_fell"} <= set(home.told))  # sheets and jobs go on
    assert home.context.storage.problem is None
    assert _events(home.db) == ["kept"]


def test_without_anything_to_write_it_finds_out_by_itself_that_the_disk_works(
    home: SimpleNamespace,
) -> None:
    Disk.broken.set()
    with pytest.raises(StoreFull):
        home.store.ask(Store.write, _note("asked"), kept=False)
    Disk.broken.clear()
    _until_well(home)
    home.store.ask(Store.write, _note("later"))
    assert _events(home.db) == ["later"]


def test_a_nearly_full_disk_is_a_problem_though_writes_still_succeed(
    home: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storage_module, "RESERVE", 2**62)

    def written() -> str | None:
        home.store.ask(Store.write, _note("one"))
        return home.context.storage.problem

    _until(lambda: "KiB are free" in (written() or ""))
    monkeypatch.setattr(storage_module, "RESERVE", 0)
    _until_well(home)


def test_what_an_actor_wrote_before_it_restarted_does_not_come_after_it_has_read(
    home: SimpleNamespace,
) -> None:
    store: Handle[Store] = home.store
    Disk.gate.clear()
    busy = store.call(Store.write, _note("busy"))
    old = store.within(None).call(Store.write, _note("old"), "job:x/job")
    other = store.within(None).call(Store.write, _note("other"), "job:y/job")
    forgotten = store.call(Store.forget, "job:x/job")
    Disk.gate.set()
    forgotten.get(5.0)
    now = _events(home.db)
    other.get(5.0)
    busy.get(5.0)
    # Either it was on disk before the answer, or it never comes.
    assert ("old" in now) == ("old" in _events(home.db)) == (old.done and old.outcome().ok)


def test_a_crash_answers_whoever_waits(home: SimpleNamespace) -> None:
    Disk.broken.set()
    kept = home.store.within(None).call(Store.write, _note("kept"))
    home.system.inject("store", RuntimeError("test"))
    home.store.tell(Store.forget, "nobody")
    with pytest.raises(ActorDied):
        kept.get(5.0)


def test_retention_goes_in_steps_until_nothing_is_left_to_forget(
    home: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("marianne.state.retention.STEP", 10)
    for number in range(7):
        home.store.ask(Store.write, [c for _ in range(5) for c in _note(f"e{number}")])
    home.store.ask(Store.write, [SetMeta("x", b"")])
    home.store.tell(Store.retain, RetentionPolicy(events_from=10**9))
    _until(lambda: not _events(home.db))
    (event,) = home.store.ask(Store.write, _note("next"))
    assert event.seq == 36

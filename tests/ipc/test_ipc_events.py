"""A tail gets every event once and in order, whatever the socket loses."""

from __future__ import annotations

import itertools
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ipc.codec import pack
from ipc.errors import DeadlineExceeded, EndpointError
from ipc.publisher import TICK, Publisher, topic_of
from ipc.subscriber import Subscriber

Event = dict[str, Any]


class Log:
    """The sender's truth: numbered events, kept before they are published."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.events: list[Event] = []
        self.last: dict[str | None, int] = {}
        self.asked: list[int] = []
        self.fail = 0
        self.page = 1000
        self.publisher: Publisher | None = None

    def open(self) -> Publisher:
        self.publisher = Publisher(self.path)
        self.publisher.start()
        return self.publisher

    def close(self) -> None:
        if self.publisher is not None:
            self.publisher.stop()
            self.publisher = None

    def add(
        self, job_id: str | None = "j", event: str = "sheet.started", *, lost: bool = False
    ) -> Event:
        body = self.append(job_id, event)
        if not lost:
            self.publish(body)
        return body

    def append(self, job_id: str | None = "j", event: str = "sheet.started") -> Event:
        body = {"seq": len(self.events) + 1, "prev": self.last.get(job_id)}
        body |= {"job_id": job_id, "event": event}
        self.last[job_id] = len(self.events) + 1
        self.events.append(body)
        return body

    def publish(self, body: Event) -> None:
        assert self.publisher is not None
        self.publisher.publish(topic_of(body["job_id"], body["event"]), body)

    def tick(self) -> None:
        assert self.publisher is not None
        self.publisher.publish(TICK, {"seq": len(self.events), "event": TICK, "job_id": None})

    def since(self, seq: int) -> list[Event]:
        self.asked.append(seq)
        if self.fail > 0:
            self.fail -= 1
            raise DeadlineExceeded("events.since", 1, "id", reached=False)
        return self.events[seq : seq + self.page]

    def since_in_job(self, seq: int) -> list[Event]:
        return [event for event in self.since(seq) if event["job_id"] == "j"]


@pytest.fixture
def log(place: Path) -> Iterator[Log]:
    log = Log(place / "e.sock")
    yield log
    log.close()


@pytest.fixture
def tail(log: Log, wait_until: Any) -> Iterator[Callable[..., Subscriber]]:
    """Tails of the log; each is subscribed when it is handed over."""
    made: list[Subscriber] = []

    def make(topics: tuple[str, ...] = ("",), **options: Any) -> Subscriber:
        subscriber = Subscriber(log.path, topics, **options)
        made.append(subscriber)
        publisher = log.publisher or log.open()
        wait_until(lambda: publisher.wanted and {t.encode() for t in topics} <= publisher._topics)
        return subscriber

    yield make
    for subscriber in made:
        subscriber.close()


def numbers(subscriber: Subscriber, count: int) -> list[int]:
    found = []
    for _ in range(count):
        event = subscriber.get(timeout=5)
        assert event is not None, f"only {found} came"
        found.append(event["seq"])
    return found


def test_events_come_as_they_are_published(log: Log, tail: Any) -> None:
    subscriber = tail()
    sent = [log.add(), log.add(None, "monitor.pressure"), log.add()]
    assert list(itertools.islice(subscriber, 3)) == sent
    assert subscriber.get(timeout=0) is None


def test_topics_choose(log: Log, tail: Any) -> None:
    one, errors = tail(("job.j.",)), tail(("job.j.sheet.failed", "daemon."))
    log.add()
    log.add("other")
    failed = log.add("j", "sheet.failed")
    crashed = log.add(None, "actor.crashed")
    assert numbers(one, 2) == [1, 3]
    assert [errors.get(5), errors.get(5)] == [failed, crashed]


def test_a_tail_that_starts_late_gets_what_came_before(log: Log, tail: Any) -> None:
    log.open()
    for _ in range(5):
        log.add()
    subscriber = tail(fetch_since=log.since, since=2)
    log.add()
    assert numbers(subscriber, 4) == [3, 4, 5, 6]
    assert subscriber.position == 6


def test_the_position_counts_what_was_taken_not_what_lies_ready(log: Log, tail: Any) -> None:
    subscriber = tail(fetch_since=log.since, since=0)
    for _ in range(4):
        log.add(lost=True)
    assert numbers(subscriber, 2) == [1, 2]
    assert subscriber.position == 2


def test_a_gap_is_filled_in_order(log: Log, tail: Any) -> None:
    subscriber = tail(fetch_since=log.since, since=0)
    assert subscriber.get(timeout=0.05) is None
    log.add()
    assert numbers(subscriber, 1) == [1]
    log.add(lost=True)
    log.add(lost=True)
    log.add()
    log.add()
    assert numbers(subscriber, 4) == [2, 3, 4, 5]
    assert subscriber.get(timeout=0.05) is None


def test_a_gap_is_filled_page_by_page(log: Log, tail: Any) -> None:
    log.page = 3
    subscriber = tail(fetch_since=log.since, since=0)
    assert subscriber.get(timeout=0.05) is None
    for _ in range(10):
        log.add(lost=True)
    log.add()
    assert numbers(subscriber, 11) == list(range(1, 12))


def test_repeats_are_dropped(log: Log, tail: Any) -> None:
    subscriber = tail()
    for event in [log.add(), log.add()]:
        log.publish(event)
    log.add()
    assert numbers(subscriber, 3) == [1, 2, 3]
    assert subscriber.repeated == 2


def test_a_lost_last_event_is_noticed_by_the_tick(log: Log, tail: Any) -> None:
    subscriber = tail(fetch_since=log.since, since=0)
    assert subscriber.get(timeout=0.05) is None
    log.add()
    assert numbers(subscriber, 1) == [1]
    log.add(lost=True)
    assert subscriber.get(timeout=0.05) is None
    log.tick()
    assert numbers(subscriber, 1) == [2]
    asked = len(log.asked)
    log.tick()
    assert subscriber.get(timeout=0.05) is None
    assert len(log.asked) == asked


def test_the_tail_of_one_job_sees_its_gaps_and_no_others(log: Log, tail: Any) -> None:
    subscriber = tail(("job.j.",), fetch_since=log.since_in_job, since=0)
    assert subscriber.get(timeout=0.05) is None
    log.add()
    assert numbers(subscriber, 1) == [1]
    asked = len(log.asked)
    for _ in range(3):
        log.add("other")
    log.add()
    assert numbers(subscriber, 1) == [5]
    assert len(log.asked) == asked
    log.add(lost=True)
    log.add("other")
    log.add()
    assert numbers(subscriber, 2) == [6, 8]


def test_the_tick_covers_one_job_too(log: Log, tail: Any) -> None:
    subscriber = tail(("job.j.",), fetch_since=log.since_in_job, since=0)
    assert subscriber.get(timeout=0.05) is None
    log.add(lost=True)
    log.add("other")
    log.tick()
    assert numbers(subscriber, 1) == [1]
    assert subscriber.get(timeout=0.05) is None
    assert subscriber.position == 2


def test_the_log_is_asked_again_while_it_is_away(log: Log, tail: Any) -> None:
    subscriber = tail(fetch_since=log.since, since=0)
    assert subscriber.get(timeout=0.05) is None
    log.fail = 2
    log.add(lost=True)
    log.add()
    log.add()
    assert numbers(subscriber, 3) == [1, 2, 3]


def test_what_the_log_has_forgotten_is_passed_over(log: Log, tail: Any) -> None:
    subscriber = tail(fetch_since=lambda seq: log.since(max(seq, 2)), since=0)
    for _ in range(3):
        log.add(lost=True)
    log.add()
    assert numbers(subscriber, 2) == [3, 4]
    log.add(lost=True)
    log.tick()
    assert numbers(subscriber, 1) == [5]


def test_a_log_that_has_forgotten_everything_ends_the_search(log: Log, tail: Any) -> None:
    subscriber = tail(fetch_since=lambda seq: [], since=0)
    assert subscriber.get(timeout=0.05) is None
    log.add(lost=True)
    log.tick()
    assert subscriber.get(timeout=0.1) is None
    assert subscriber.position == 1
    log.add()
    assert numbers(subscriber, 1) == [2]


def test_without_a_log_gaps_are_counted(log: Log, tail: Any) -> None:
    subscriber = tail()
    log.add()
    log.add(lost=True)
    log.add()
    assert numbers(subscriber, 2) == [1, 3]
    assert subscriber.missed == 1


def test_a_tail_goes_on_over_restarts_of_the_publisher(
    log: Log, tail: Any, wait_until: Any
) -> None:
    subscriber = tail(fetch_since=log.since, since=0)
    for n in range(3):
        publisher = log.publisher
        assert publisher is not None
        # A tail that nobody reads does not subscribe again: it takes a call on its socket.
        wait_until(lambda: subscriber.get(timeout=0) is None and publisher.wanted)  # noqa: B023
        log.add()
        assert numbers(subscriber, 1) == [3 * n + 1]
        log.close()
        log.add(lost=True)
        log.open()
        log.add()  # the tail is not back yet, so this one is lost as well
        assert numbers(subscriber, 2) == [3 * n + 2, 3 * n + 3]


def test_a_slow_tail_catches_up_and_never_holds_the_publisher(
    log: Log, tail: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ipc.subscriber.TICK_PATIENCE", 0.1)
    slow = tail(fetch_since=log.since, since=0, high_water=10)
    fast = tail(("job.",))  # a topic of its own: XPUB tells of the first subscriber to each only
    for n in range(30_000):
        log.publish(log.append())
        if n % 5000 == 0:
            assert fast.get(timeout=5) is not None
    log.tick()
    assert numbers(slow, 30_000) == list(range(1, 30_001))


def test_junk_is_counted_and_left_out(log: Log, tail: Any) -> None:
    subscriber = tail()
    publisher = log.publisher
    assert publisher is not None
    for body in (b"\xc1", pack([1]), pack({"seq": "x"}), pack({})):
        publisher.publish("daemon.junk", body)
    log.add()
    assert numbers(subscriber, 1) == [1]
    assert subscriber.malformed == 4


def test_nothing_is_sent_while_nobody_listens(log: Log, tail: Any, wait_until: Any) -> None:
    publisher = log.open()
    log.add()
    assert publisher.published == 0
    with Subscriber(log.path):
        wait_until(lambda: publisher.wanted)
        log.add()
        assert publisher.published == 1
    wait_until(lambda: not publisher.wanted)


def test_publishing_is_for_a_started_publisher(place: Path) -> None:
    publisher = Publisher(place / "e.sock")
    with pytest.raises(RuntimeError, match="before start"):
        publisher.publish("x", {})
    publisher.start()
    publisher.stop()
    publisher.stop()
    assert not (place / "e.sock").exists()


PUBLISHER = """
import sys
from ipc.publisher import Publisher
publisher = Publisher(sys.argv[1])
publisher.start()
print("ready", flush=True)
for line in sys.stdin:
    publisher.publish("job.j.x", {"seq": int(line), "prev": None, "job_id": "j", "event": "x"})
"""


def test_a_killed_publisher_and_its_successor_make_one_stream(
    place: Path, spawn: Callable[..., subprocess.Popen[str]], wait_until: Any
) -> None:
    committed: list[Event] = []

    def commit() -> int:
        seq = len(committed) + 1
        committed.append({"seq": seq, "prev": None, "job_id": "j", "event": "x"})
        return seq

    def say(process: subprocess.Popen[str], seq: int) -> None:
        assert process.stdin is not None
        print(seq, file=process.stdin, flush=True)

    path = place / "e.sock"
    with Subscriber(path, fetch_since=lambda n: committed[n:], since=0) as tail:
        process = spawn(PUBLISHER, path)
        say(process, commit())
        assert numbers(tail, 1) == [1]
        commit()
        process.kill()
        process.wait()
        process = spawn(PUBLISHER, path)
        for _ in range(3):
            say(process, commit())
        assert numbers(tail, 4) == [2, 3, 4, 5]


@pytest.mark.parametrize(
    ("job_id", "event", "topic"),
    [
        ("j", "sheet.started", "job.j.sheet.started"),
        (None, "monitor.pressure", "daemon.monitor.pressure"),
        (None, "daemon.tick", "daemon.tick"),
    ],
)
def test_topics_are_made_of_job_and_event(job_id: str | None, event: str, topic: str) -> None:
    assert topic_of(job_id, event) == topic


def test_a_subscriber_that_cannot_connect_leaves_nothing_open(place: Path) -> None:
    with pytest.raises(EndpointError, match="too long"):
        Subscriber(place / ("n" * 200))


FORGOTTEN = """
import gc, sys
from ipc.subscriber import Subscriber

around = [Subscriber(sys.argv[1])]
around.append(around)
del around
gc.collect()
print("goes on")
"""


def test_a_tail_that_nobody_has_any_more_holds_nobody_up(place: Path) -> None:
    words = [sys.executable, "-c", FORGOTTEN, str(place / "e.sock")]
    done = subprocess.run(words, capture_output=True, text=True, timeout=30, check=False)
    assert done.stdout == "goes on\n", done.stderr

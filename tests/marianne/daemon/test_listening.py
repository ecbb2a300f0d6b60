"""When a worker process that says nothing is asked, woken and given up."""

from __future__ import annotations

from marianne.daemon.worker.listening import Listening, Look


def looks(listening: Listening, count: int) -> list[Look]:
    return [listening.look() for _ in range(count)]


def test_one_that_talks_is_not_asked() -> None:
    listening = Listening(1.0, 3)
    for _ in range(5):
        listening.heard()
        assert listening.look() is Look.FINE


def test_one_that_is_silent_is_asked_then_woken_then_ended() -> None:
    assert looks(Listening(1.0, 4), 5) == [Look.ASK, Look.ASK, Look.WAKE, Look.WAKE, Look.END]
    assert looks(Listening(1.0, 1), 2) == [Look.WAKE, Look.END]


def test_an_answer_begins_the_count_anew() -> None:
    listening = Listening(1.0, 3)
    assert looks(listening, 3)[-1] is Look.WAKE
    assert listening.silent
    listening.heard()
    assert looks(listening, 4) == [Look.FINE, Look.ASK, Look.WAKE, Look.WAKE]


def test_a_conductor_that_was_away_for_an_hour_counts_one_look() -> None:
    listening = Listening.alone()
    listening.heard()
    assert looks(listening, 2) == [Look.FINE, Look.ASK]  # the hour passed between these


def test_what_must_not_wait_has_the_seconds_that_it_was_given() -> None:
    listening = Listening.hurried(2.5)
    assert looks(listening, 4)[-1] is Look.END
    assert listening.every * 4 < 2.5 + 2


def test_one_that_was_taken_over_has_as_long_as_it_would_go_on_alone() -> None:
    patience = {grace: Listening.hello(grace) for grace in (None, 0.0, 5.0, 100.0)}
    seconds = {
        grace: len(looks_until_end(listening)) * listening.every
        for grace, listening in patience.items()
    }
    assert seconds == {None: 30.5, 0.0: 2.0, 5.0: 5.5, 100.0: 10.5}


def looks_until_end(listening: Listening) -> list[Look]:
    found = [listening.look()]
    while found[-1] is not Look.END:
        found.append(listening.look())
    return found


def test_one_that_has_not_said_hello_has_ten_seconds_to_hear_that_it_is_to_end() -> None:
    seconds = [
        len(looks_until_end(Listening.hurried(asked, greeted=False))) for asked in (2.0, 30.0)
    ]
    assert seconds == [11, 31]

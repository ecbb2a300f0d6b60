"""How often jobs may fail unexpectedly before a conductor is not ready."""

from __future__ import annotations

from marianne.daemon.shared.failures import THRESHOLD, WINDOW, FailureRate


def test_more_than_three_failures_in_a_minute_are_too_many() -> None:
    rate = FailureRate()
    for second in range(THRESHOLD):
        rate.note(float(second))
    assert not rate.elevated(3.0)
    rate.note(3.0)
    assert rate.elevated(3.0)
    assert not rate.elevated(WINDOW + 0.5), "the first is older than a minute"

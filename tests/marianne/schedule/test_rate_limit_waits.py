"""A sheet that waits for its instrument's limits knows how often."""

from __future__ import annotations

from marianne.schedule.entries import SheetInfo
from marianne.schedule.queue import SheetQueue


def test_an_entry_counts_the_rate_limits_that_it_waited_for() -> None:
    queue = SheetQueue(1)
    queue.block("claude_cli", 5.0)
    queue.block("claude_cli", 6.0)  # the same, for longer
    queue.register("a", [SheetInfo("a", 1)])
    assert queue.explain("a", 1).data["limits"] == 1
    queue.unblock()
    queue.block("claude_cli", 9.0)
    assert queue.explain("a", 1).text.endswith(", 2 times since the sheet is ready")
    entry = queue.grant(10.0)
    assert entry is not None
    assert entry.rate_limit_skip_count == 2
    queue.register("b", [SheetInfo("b", 1)])
    queue.complete("a", 1, True)
    entry = queue.grant(11.0)
    assert entry is not None
    assert entry.rate_limit_skip_count == 0

"""OTP's supervisor rules, written a second time and differently, to compare with.

Children are rows of a table; there are no effects, no tokens and no messages: a restart that fails
is simply tried again at once. Times are the test's. What is compared: the log of starts and stops,
the state of each child, and whether and why the supervisor has ended.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Row:
    id: str
    restart: str
    significant: bool
    state: str = "down"


@dataclass
class Model:
    strategy: str
    intensity: int
    period: float
    auto_shutdown: str
    rows: list[Row]
    script: dict[str, list[str]]
    log: list[str] = field(default_factory=list)
    restarts: list[float] = field(default_factory=list)
    ended: str = ""

    # Outcomes of a start: "ok", "ignore", or anything else, which fails.
    def run(self, row: Row) -> bool:
        queue = self.script.get(row.id)
        outcome = queue.pop(0) if queue else "ok"
        self.log.append(f"{'start' if outcome in {'ok', 'info'} else outcome} {row.id}")
        row.state = "up" if outcome in {"ok", "info"} else "down"
        if outcome == "ignore" and row.restart == "temporary":
            self.rows.remove(row)
        return outcome in {"ok", "info", "ignore"}

    def halt(self, rows: list[Row]) -> None:
        for row in reversed(rows):
            if row.state == "up":
                self.log.append(f"stop {row.id}")
            row.state = "down"
            if row.restart == "temporary":
                self.rows.remove(row)

    def finish(self, why: str) -> None:
        self.halt(list(self.rows))
        self.ended = why

    def boot(self) -> None:
        for row in list(self.rows):
            if not self.run(row):
                self.finish("start_failed")
                return

    def row(self, part: str) -> Row | None:
        return next((row for row in self.rows if row.id == part), None)

    def died(self, part: str, how: str, now: float) -> None:
        row = self.row(part)
        assert row is not None
        row.state = "down"
        if how != "kill":
            self.log.append(f"stop {part}")
        bad = how in {"crash", "abnormal", "kill"}
        if row.restart == "permanent" or (row.restart == "transient" and bad):
            while row is not None:
                self.restarts = [time for time in self.restarts if time >= now - self.period]
                self.restarts.append(now)
                if len(self.restarts) > self.intensity:
                    self.finish("shutdown(intensity)")
                    return
                row = self.restart_group(row)
            return
        if row.restart == "temporary":
            self.rows.remove(row)
        if not row.significant or self.auto_shutdown == "never":
            return
        others = any(other.significant and other.state == "up" for other in self.rows)
        if self.auto_shutdown == "any_significant" or not others:
            self.finish("shutdown")

    def restart_group(self, row: Row) -> Row | None:
        """One attempt; the row that failed, if one did."""
        at = self.rows.index(row)
        group = {
            "one_for_one": [row],
            "rest_for_one": self.rows[at:],
            "one_for_all": list(self.rows),
        }[self.strategy]
        self.halt(group)
        for member in [member for member in group if member in self.rows]:
            if not self.run(member):
                return member
        return None

    def terminate(self, part: str) -> str:
        row = self.row(part)
        if row is None:
            return "not_found"
        self.halt([row])
        return "ok"

    def restart_child(self, part: str) -> str:
        row = self.row(part)
        if row is None or row.state == "up":
            return "not_found" if row is None else "running"
        return "ok" if self.run(row) else "start_failed"

    def delete(self, part: str) -> str:
        row = self.row(part)
        if row is None or row.state == "up":
            return "not_found" if row is None else "running"
        self.rows.remove(row)
        return "ok"

    def start(self, row: Row) -> str:
        present = self.row(row.id)
        if present is not None:
            return "already_started" if present.state == "up" else "already_present"
        self.rows.append(row)
        if self.run(row):
            return "ok"
        self.rows.remove(row)
        return "start_failed"

"""What a customer asked for, and which ends of a job it may therefore see. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from soak_ledger import Violation
from soak_scores import COMPLETED, FAILED, SKIPPED, Score

CANCELLED = "cancelled"
OVER = (COMPLETED, FAILED, CANCELLED)
NO, MAYBE, YES = "no", "maybe", "yes"


@dataclass
class Order:
    """A job and its customer's words. ``submitted`` and ``cancel``: whether that was asked for and
    acknowledged (yes), or asked for without an answer, or by somebody else (maybe)."""

    job: str
    score: Score
    submitted: str = MAYBE
    cancel: str = NO
    cleared: bool = False
    parent: str | None = None
    acts: int = 0
    held: Any = None  # the strike of a wish that it stands still, until it is resumed
    said: list[str] = field(default_factory=list)

    def ends(self) -> frozenset[str]:
        """The ends that the job may come to."""
        if self.cancel == YES:
            return frozenset({CANCELLED})
        more = {CANCELLED} if self.cancel == MAYBE else set()
        return frozenset({self.score.end(), *more})


def judge(order: Order, view: Mapping[str, Any]) -> list[Violation]:
    """What is wrong with the status of a job that is over."""
    status, wrong = str(view["status"]), []
    sheets = {int(sheet["num"]): sheet for sheet in view["sheets"]}

    def say(rule: str, text: str, sheet: int = 0) -> None:
        shown = {key: view.get(key) for key in ("status", "reason", "error", "progress")}
        proof = (f"asked: {'; '.join(order.said[-8:])}", f"told: {shown}")
        if sheet:
            proof = (*proof, str({k: v for k, v in sheets[sheet].items() if v not in (None, [])}))
        wrong.append(Violation(rule, text, order.job, sheet, evidence=proof))

    if status not in order.ends():
        say("ends as asked", f"ended {status}, allowed: {', '.join(sorted(order.ends()))}")
    expected = order.score.ends()
    if set(sheets) != set(expected):
        say("states right", f"has sheets {sorted(sheets)}, submitted were {sorted(expected)}")
        return wrong
    for num, sheet in sheets.items():
        got, should = str(sheet["status"]), expected[num]
        # A cancelled job's sheets may have come to their own end before.
        cut_short = status == CANCELLED and got in (CANCELLED, SKIPPED)
        if got != should and not cut_short and (status in order.ends() or got == FAILED):
            say("ends as asked", f"the sheet ended {got}, should be {should}", num)
        if got == FAILED and should == FAILED:
            found = _other_reason(order.score, num, sheet)
            if found:
                say("failures are its own", found, num)
    found = Counter(str(sheet["status"]) for sheet in sheets.values())
    told = {name: count for name, count in view["progress"].items() if count and name != "total"}
    if told != dict(found) or view["progress"]["total"] != len(sheets):
        say("states right", f"counted {view['progress']}, the sheets are {dict(found)}")
    done = found[COMPLETED] + found[SKIPPED]
    if status == COMPLETED and done != len(sheets):
        say("states right", f"completed, but its sheets are {dict(found)}")
    if done + found[FAILED] + found[CANCELLED] != len(sheets):
        say("states right", f"is over, but its sheets are {dict(found)}")
    return wrong


def unfollowed(order: Order, view: Mapping[str, Any], left: Collection[str]) -> list[Violation]:
    """The hooks of a job that is over which never ran; ``left`` are those that left a mark."""
    done = any(sheet["status"] == COMPLETED for sheet in view["sheets"])
    # Nothing follows the success of a job all of which was skipped.
    due = {COMPLETED: ["success", "exit"] if done else [], FAILED: ["failure", "exit"]}
    missing = [when for when in due.get(str(view["status"]), []) if when not in left]
    if not order.score.hooked or not missing:
        return []
    said = f"is {view['status']}, and on_{' and on_'.join(missing)} never ran"
    return [Violation("hooks follow", said, order.job, evidence=tuple(order.said[-8:]))]


def _other_reason(score: Score, num: int, sheet: Mapping[str, Any]) -> str | None:
    """Words if the sheet failed of something else than what it does itself."""
    mine = score.sheets[num - 1]
    error = sheet.get("error") or {}
    if mine.behaviour == "too long":
        return None if error.get("category") == "timeout" else f"failed by {error}, not by its time"
    if sheet.get("exit_code") != mine.code:
        return f"failed with {sheet.get('exit_code')} and {error}, its exit code is {mine.code}"
    return None


def refusal(verb: str, code: str, order: Order | None) -> bool:
    """Whether a customer has to put up with this refusal of this wish."""
    if code == "conflict":
        # Retry and clear come when the end was told: only the hooks can be under way then.
        hooked = order is not None and order.score.hooked and verb in ("retry", "clear")
        return hooked or verb in ("pause", "resume", "modify", "cancel", "recover")
    if code == "not_found":
        if verb == "output":  # nothing of it has begun
            return True
        return order is not None and (order.cleared or order.submitted != YES)
    return False

"""Each check of ``scripts/chaos soak`` sees what it is for, in a made-up ledger."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from random import Random
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "scripts" / "chaos_parts"))

import soak_ledger as ledgers
from soak_book import SLACK, Book, Strike
from soak_ledger import Violation
from soak_orders import MAYBE, YES, Order, judge, refusal, unfollowed
from soak_places import FORKSERVER, PARSER, SHEET, WORKER, Process, refine
from soak_plan import counted, plan
from soak_scores import Place, Score, Sheet, agents, random_score, text
from soak_tail import Count

MARIANNE = Path(sys.executable).with_name("marianne")
SECOND = 1_000_000_000


def line(
    word: str, sheet: int, attempt: int, at: float, verdict: str = "-", lock: str = "-", **more: Any
) -> str:
    job, worker = more.get("job", "j"), more.get("worker", 70)
    return f"{word} {job} {sheet} {attempt} 71 {worker} {int(at * SECOND)} b0 {verdict} {lock}"


def book_of(*lines: str) -> ledgers.Ledger:
    return ledgers.parse("\n".join(lines))


def ran(
    sheet: int, attempt: int, begin: float, end: float, verdict: str = "works", **more: Any
) -> tuple[str, str]:
    return (
        line("start", sheet, attempt, begin, lock="free", **more),
        line("end", sheet, attempt, end, verdict, **more),
    )


def rules(found: list[Violation]) -> list[str]:
    return [violation.rule for violation in found]


CHAIN = Score("j", (Sheet(1, "works"), Sheet(2, "works", (1,))))
FINE = (*ran(1, 1, 1, 2), *ran(2, 1, 3, 4))


def test_a_ledger_of_a_plain_job_is_fine() -> None:
    ledger = book_of(*FINE)
    assert ledger.wrong == ledgers.ascending(ledger) == []
    assert ledgers.needs_first(ledger, {"j": CHAIN}) == []
    assert ledgers.within_limits(ledger, 1, 1, {"j": CHAIN}) == []
    completed = {("j", 1): 1, ("j", 2): 1}
    assert ledgers.once(ledger, completed, lambda *_: False) == ([], 0)
    assert ledgers.only_asked(ledger, ["j"]) == []


def test_an_attempt_that_starts_twice_is_seen() -> None:
    found = book_of(*FINE, line("start", 1, 1, 5, lock="free")).wrong
    assert rules(found) == ["attempts unique"]
    assert (found[0].job, found[0].sheet) == ("j", 1)


def test_an_end_without_a_start_and_a_second_end_are_seen() -> None:
    found = book_of(line("end", 1, 1, 5, "works"), *FINE, line("end", 1, 1, 6, "works")).wrong
    assert rules(found) == ["attempts unique", "attempts unique"]


def test_a_process_of_an_earlier_attempt_is_seen_by_its_lock() -> None:
    found = book_of(*ran(1, 1, 1, 2), line("start", 1, 2, 3, lock="held")).wrong
    assert rules(found) == ["no overlap"]


def test_a_torn_line_is_seen() -> None:
    assert rules(book_of("start j 1", *FINE).wrong) == ["ledger"]


def test_attempts_that_overlap_or_go_back_are_seen() -> None:
    overlap = book_of(line("start", 1, 1, 1), line("start", 1, 2, 2), line("end", 1, 1, 3, "fails"))
    assert rules(ledgers.ascending(overlap)) == ["no overlap"]
    back = book_of(*ran(1, 2, 1, 2, "fails"), *ran(1, 1, 3, 4))
    assert rules(ledgers.ascending(back)) == ["attempts ascend"]


def test_a_need_that_was_ignored_is_seen() -> None:
    early = book_of(*ran(2, 1, 1, 2), *ran(1, 1, 1.5, 3))
    assert rules(ledgers.needs_first(early, {"j": CHAIN})) == ["needs first"]
    failed = book_of(*ran(1, 1, 1, 2, "fails"), *ran(2, 1, 3, 4))
    assert rules(ledgers.needs_first(failed, {"j": CHAIN})) == ["needs first"]
    skipped = Score("j", (Sheet(1, "skipped"), Sheet(2, "works", (1,))))
    assert ledgers.needs_first(book_of(*ran(2, 1, 3, 4)), {"j": skipped}) == []


@pytest.mark.parametrize(("jobs", "sheets", "most"), [(1, 9, None), (9, 1, None), (9, 9, 1)])
def test_a_limit_that_was_passed_is_seen(jobs: int, sheets: int, most: int | None) -> None:
    score = Score("j", (Sheet(1, "works"), Sheet(2, "works")), most)
    beside = ran(1, 1, 1, 3, job="k") if jobs == 1 else ran(1, 1, 1, 3)
    ledger = ledgers.parse("\n".join((*beside, *ran(2, 1, 2, 4))))
    found = ledgers.within_limits(ledger, jobs, sheets, {"j": score})
    assert rules(found) == ["limits"]
    assert ledgers.within_limits(ledger, 2, 2, {}) == []


def test_agents_are_counted_apart_from_scripts() -> None:
    score = Score("j", (Sheet(1, "limited"), Sheet(2, "limited"), Sheet(3, "works")))
    ledger = book_of(*ran(1, 1, 1, 4), *ran(2, 1, 2, 4), *ran(3, 1, 3, 4))
    assert ledgers.within_limits(ledger, 1, 1, {"j": score}, 2) == []
    assert set(rules(ledgers.within_limits(ledger, 1, 1, {"j": score}, 1))) == {"limits"}
    assert rules(ledgers.within_limits(ledger, 1, 0, {"j": score}, 2)) == ["limits"]


def test_what_was_ended_by_others_counts_at_its_start_only() -> None:
    ledger = book_of(line("start", 1, 1, 1), *ran(2, 1, 2, 4))
    assert ledgers.within_limits(ledger, 1, 1, {}) == []


def test_finished_work_that_ran_again_is_seen_unless_its_worker_died() -> None:
    ledger = book_of(*ran(1, 1, 1, 2), *ran(1, 2, 3, 4))
    found, lost = ledgers.once(ledger, {("j", 1): 2}, lambda *_: False)
    assert rules(found) == ["finished work runs once"]
    assert lost == 0
    assert ledgers.once(ledger, {("j", 1): 2}, lambda *_: True) == ([], 1)
    # What ran after it was completed has no excuse.
    found, _ = ledgers.once(ledger, {("j", 1): 1}, lambda *_: True)
    assert rules(found) == ["finished work runs once"]


def test_a_completed_sheet_that_never_ran_is_seen() -> None:
    found, _ = ledgers.once(book_of(*FINE), {("j", 1): 1, ("j", 3): 1}, lambda *_: False)
    assert rules(found) == ["one completed attempt"]
    failed = book_of(*ran(1, 1, 1, 2, "fails"))
    found, _ = ledgers.once(failed, {("j", 1): 1}, lambda *_: False)
    assert rules(found) == ["one completed attempt"]


def test_a_job_that_nobody_submitted_is_seen() -> None:
    assert rules(ledgers.only_asked(book_of(*ran(1, 1, 1, 2, job="x")), ["j"])) == [
        "only what was asked"
    ]


def test_only_what_ended_its_worker_or_the_attempt_itself_excuses() -> None:
    (attempt,) = book_of(*ran(1, 1, 1, 2, worker=70)).attempts["j", 1]
    # Killed, a process still begins what it was about to.
    cases = ((70, 2.5, True), (70, 1.5, True), (70, 0.9, True), (71, 2.5, False), (70, 9.0, False))
    for pid, at, fair in cases:
        book = Book(strikes=[Strike(int(at * SECOND), "kill", "worker", pid, int(at * SECOND))])
        assert book.excused(attempt, 20 * SECOND) is fair, (pid, at)
    for said, fair in (("stop --drain 5", True), ("restart", False)):
        assert (
            Book(strikes=[Strike(2 * SECOND, "command", said)]).excused(attempt, 20 * SECOND)
            is fair
        )
    for job, fair in (("j", True), ("k", False)):
        assert (
            Book(strikes=[Strike(2 * SECOND, "cancel", job)]).excused(attempt, 20 * SECOND) is fair
        )
    frozen = Book(strikes=[Strike(SECOND, "freeze", "worker", 70, 60 * SECOND)])
    assert frozen.excused(attempt, 20 * SECOND)
    assert SLACK < 5 * SECOND


# -- what customers are told


def view(status: str, *sheets: str, **error: Any) -> dict[str, Any]:
    made = [
        {"num": num, "status": state, "attempt": 1, **(error if state == "failed" else {})}
        for num, state in enumerate(sheets, 1)
    ]
    names = ("completed", "failed", "skipped", "cancelled", "running", "pending")
    progress = {name: sheets.count(name) for name in names} | {"total": len(sheets)}
    return {"status": status, "sheets": made, "progress": progress}


def test_an_end_as_asked_is_fine() -> None:
    assert judge(Order("j", CHAIN), view("completed", "completed", "completed")) == []
    failing = Score("j", (Sheet(1, "fails", code=4), Sheet(2, "works", (1,))))
    told = view("failed", "failed", "skipped", exit_code=4)
    assert judge(Order("j", failing), told) == []
    order = Order("j", CHAIN, cancel=MAYBE)
    assert judge(order, view("cancelled", "completed", "cancelled")) == []


def test_a_failure_that_nobody_asked_for_is_seen() -> None:
    found = judge(Order("j", CHAIN), view("failed", "completed", "failed", exit_code=1))
    assert "ends as asked" in rules(found)
    failing = Score("j", (Sheet(1, "fails", code=4),))
    found = judge(Order("j", failing), view("failed", "failed", exit_code=None))
    assert rules(found) == ["failures are its own"]


def test_a_cancelled_job_that_goes_on_or_was_never_cancelled_is_seen() -> None:
    cancelled = Order("j", CHAIN, cancel=YES)
    assert "ends as asked" in rules(judge(cancelled, view("completed", "completed", "completed")))
    assert "ends as asked" in rules(judge(Order("j", CHAIN), view("cancelled", "cancelled")))


def test_counters_and_states_that_disagree_are_seen() -> None:
    told = view("completed", "completed", "completed")
    told["progress"]["completed"] = 1
    assert rules(judge(Order("j", CHAIN), told)) == ["states right"]
    told = view("completed", "completed", "running")
    assert "states right" in rules(judge(Order("j", CHAIN), told))
    assert "states right" in rules(judge(Order("j", CHAIN), view("completed", "completed")))


@pytest.mark.parametrize(
    ("status", "sheets", "due"),
    [
        ("completed", ["completed", "skipped"], ["success", "exit"]),
        ("completed", ["skipped", "skipped"], []),
        ("failed", ["completed", "failed"], ["failure", "exit"]),
        ("cancelled", ["completed", "cancelled"], []),
    ],
)
def test_a_hook_that_never_ran_is_seen(status: str, sheets: list[str], due: list[str]) -> None:
    order = Order("j", Score("j", CHAIN.sheets, hooked=True), submitted=YES)
    view = {"status": status, "sheets": [{"status": one} for one in sheets]}
    assert unfollowed(order, view, due) == []
    assert rules(unfollowed(order, view, [])) == (["hooks follow"] if due else [])
    for when in due:
        others = [one for one in due if one != when]
        (found,) = unfollowed(order, view, others)
        assert f"on_{when} never ran" in found.text
    assert unfollowed(Order("j", CHAIN, submitted=YES), view, []) == []


def test_a_customer_puts_up_with_a_conflict_and_with_nothing_else() -> None:
    order = Order("j", CHAIN, submitted=YES)
    assert refusal("pause", "conflict", order)
    for code in ("internal", "unavailable", "deadline", "not_found", "invalid_score"):
        assert not refusal("pause", code, order)
    assert not refusal("submit", "conflict", order)
    assert not refusal("retry", "conflict", order)
    hooked = Order("j", Score("j", CHAIN.sheets, hooked=True), submitted=YES)
    assert refusal("retry", "conflict", hooked)
    assert not refusal("submit", "conflict", hooked)


def test_a_gap_and_a_wrong_predecessor_are_seen() -> None:
    count = Count()
    first = {"seq": 4, "prev": None, "job_id": "j", "event": "job.submitted"}
    assert count.take(first) == []
    assert count.take(first | {"seq": 5, "prev": 4}) == []
    assert len(count.take(first | {"seq": 7, "prev": 5})) == 1
    assert len(count.take(first | {"seq": 8, "prev": 5})) == 1
    assert len(count.take(first | {"seq": 8, "prev": 8})) == 1


# -- the same seed, the same soak


def test_a_seed_gives_one_plan_with_enough_faults() -> None:
    for seed in range(1, 7):
        faults = plan(seed, 1200.0, 5.0)
        assert faults == plan(seed, 1200.0, 5.0)
        assert counted(faults) >= 180
    assert plan(1, 1200.0, 5.0) != plan(2, 1200.0, 5.0)


def test_every_random_score_is_a_score_and_knows_its_end(tmp_path: Path) -> None:
    place, random, paths = Place(str(tmp_path), "/bin/true", "123"), Random(7), []
    for name, made in agents(place).items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(made)
        (tmp_path / name).chmod(0o700)
    for number in range(8):
        score = random_score(random, f"j{number}", 6, 1.0)
        paths.append(tmp_path / f"{score.name}.yaml")
        paths[-1].write_text(text(score, place))
        assert score.end() in ("completed", "failed")
        assert not score.repair().breakable or score.repair().repaired
    done = subprocess.run([MARIANNE, "validate", *paths], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_child_that_has_its_parents_name_until_its_exec_is_not_its_parent() -> None:
    """A strike at a worker that hits its sheet would be called a failure that is nobody's."""
    roles = {1: FORKSERVER, 2: WORKER, 3: WORKER, 4: FORKSERVER}
    parents = {1: 0, 2: 1, 3: 2, 4: 1}
    found = {pid: Process(pid, parents[pid], 0, "S", roles[pid], "") for pid in roles}
    refined = {pid: process.role for pid, process in refine(found).items()}
    assert refined == {1: FORKSERVER, 2: WORKER, 3: SHEET, 4: PARSER}


def test_a_sheet_that_inherited_our_file_size_is_excused_and_one_without_it_is_not() -> None:
    proof = ("{'error': {'message': 'Exit code 153: `x` was ended by SIGXFSZ'}}",)
    failed = Violation("ends as asked", "the sheet ended failed", "j", 1, evidence=proof)
    book = Book()
    book.wrong(failed)
    assert len(book.violations) == 1
    book.struck("limit", "limit file size for 2.0 s of conductor", 7, 2.0)
    book.wrong(failed)
    book.wrong(Violation("ends as asked", "the sheet ended failed", "j", 1))
    assert len(book.violations) == 2

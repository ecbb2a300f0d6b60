"""What the witness wrote, and what it proves. Pure: lines in, violations out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise, zip_longest

from soak_scores import Score

Sheet = tuple[str, int]

AFTERWARDS = 4_000_000_000
"""Nanoseconds after an attempt's end within which something may have struck its result."""


@dataclass(frozen=True)
class Line:
    """One line of the ledger; ``at`` is monotonic, in nanoseconds."""

    word: str
    job: str
    sheet: int
    attempt: int
    shell: int
    worker: int
    at: int
    boot: str
    verdict: str
    lock: str
    raw: str = ""


@dataclass
class Attempt:
    """An attempt as its own sheet saw it; without ``end`` somebody ended it."""

    start: Line
    end: Line | None = None

    @property
    def worked(self) -> bool:
        return self.end is not None and self.end.verdict == "works"

    def evidence(self) -> str:
        return " / ".join(line.raw for line in (self.start, self.end) if line is not None)


@dataclass(frozen=True)
class Violation:
    """Something that must not be; ``at`` is when, if that is known, ``evidence`` are lines."""

    rule: str
    text: str
    job: str = ""
    sheet: int = 0
    at: int = 0
    evidence: tuple[str, ...] = ()


@dataclass
class Ledger:
    """All attempts by sheet, in the order of their start, and what is wrong with the lines."""

    attempts: dict[Sheet, list[Attempt]] = field(default_factory=lambda: defaultdict(list))
    wrong: list[Violation] = field(default_factory=list)
    lines: int = 0

    def of_job(self, job: str) -> dict[int, list[Attempt]]:
        return {sheet: made for (name, sheet), made in self.attempts.items() if name == job}

    def all(self) -> list[Attempt]:
        return sorted(
            (attempt for made in self.attempts.values() for attempt in made),
            key=lambda attempt: attempt.start.at,
        )


def parse(text: str) -> Ledger:
    """Reads the ledger. A line that is none, a second start or end of an attempt, an end without
    a start and a lock that is held are violations."""
    ledger, known = Ledger(), {}
    for raw in text.splitlines():
        ledger.lines += 1
        try:
            line = _line(raw)
        except ValueError:
            ledger.wrong.append(Violation("ledger", f"not a line: {raw!r}"))
            continue
        key = (line.job, line.sheet, line.attempt)
        where = {"job": line.job, "sheet": line.sheet, "at": line.at}
        before = known.get(key)
        if line.word == "start":
            if before is not None:
                proof = (before.evidence(), raw)
                said = f"attempt {line.attempt} started twice"
                ledger.wrong.append(Violation("attempts unique", said, evidence=proof, **where))
            if line.lock == "held":
                made = ledger.attempts[line.job, line.sheet]
                proof = (*(attempt.evidence() for attempt in made[-2:]), raw)
                said = f"attempt {line.attempt} began while a process of an earlier one lives"
                ledger.wrong.append(Violation("no overlap", said, evidence=proof, **where))
            known[key] = attempt = Attempt(line)
            ledger.attempts[line.job, line.sheet].append(attempt)
        elif before is None or before.end is not None:
            said = f"attempt {line.attempt} ended " + ("twice" if before else "without a start")
            ledger.wrong.append(Violation("attempts unique", said, evidence=(raw,), **where))
        else:
            before.end = line
    return ledger


def _line(raw: str) -> Line:
    word, job, sheet, attempt, shell, worker, at, boot, verdict, lock = raw.split()
    if word not in ("start", "end"):
        raise ValueError(word)
    numbers = int(sheet), int(attempt), int(shell), int(worker), int(at)
    return Line(word, job, *numbers, boot, verdict, lock, raw)


def ascending(ledger: Ledger) -> list[Violation]:
    """Attempts of a sheet: each begins after the one before it ended, with a higher number."""
    wrong = []
    for (job, sheet), made in ledger.attempts.items():
        for before, after in pairwise(made):
            proof = (before.evidence(), after.evidence())
            if after.start.attempt <= before.start.attempt:
                said = f"attempt {after.start.attempt} came after {before.start.attempt}"
                wrong.append(Violation("attempts ascend", said, job, sheet, after.start.at, proof))
            if before.end is not None and before.end.at > after.start.at:
                said = f"attempts {before.start.attempt} and {after.start.attempt} overlap"
                wrong.append(Violation("no overlap", said, job, sheet, after.start.at, proof))
    return wrong


def needs_first(ledger: Ledger, scores: Mapping[str, Score]) -> list[Violation]:
    """No sheet starts before each of its needs has worked, unless that one is skipped."""
    wrong = []
    for job, score in scores.items():
        ends = score.ends()
        behaviour = {sheet.num: sheet.behaviour for sheet in score.sheets}
        worked = {
            sheet: min((made.end.at for made in attempts if made.worked and made.end), default=None)
            for sheet, attempts in ledger.of_job(job).items()
        }
        for sheet in score.sheets:
            for attempt in ledger.attempts.get((job, sheet.num), ()):
                for need in sheet.needs:
                    first = worked.get(need)
                    fine = first is not None and first <= attempt.start.at
                    if not fine and not (behaviour[need] == "skipped" and ends[need] == "skipped"):
                        said = f"attempt {attempt.start.attempt} began before sheet {need} worked"
                        proof = (attempt.evidence(),)
                        at = attempt.start.at
                        wrong.append(Violation("needs first", said, job, sheet.num, at, proof))
    return wrong


def within_limits(
    ledger: Ledger, jobs: int, sheets: int, scores: Mapping[str, Score], agents: int | None = None
) -> list[Violation]:
    """Never more jobs, scripts, sheets of agents, or sheets of one job at a time than allowed.

    What has no end counts at its start only: when it was ended nobody knows.
    """
    moments: list[tuple[int, int, Attempt]] = []
    for attempt in ledger.all():
        moments.append((attempt.start.at, 1, attempt))
        moments.append((attempt.end.at if attempt.end else attempt.start.at, 2, attempt))
    moments.sort(key=lambda moment: moment[:2])
    wrong: list[Violation] = []
    # An attempt of no known end: its two moments are one, and the start comes first.
    live: dict[str, set[Sheet]] = defaultdict(set)
    for at, kind, attempt in moments:
        job, sheet = attempt.start.job, attempt.start.sheet
        if kind == 2:
            live[job].discard((job, sheet))
            if not live[job]:
                del live[job]
            continue
        live[job].add((job, sheet))
        score = scores.get(job)
        mine = score.most if score is not None else None
        every = [one for some in live.values() for one in some]
        asked = sum(one[0] in scores and scores[one[0]].asks(one[1]) for one in every)
        found = (
            (len(live), jobs, "jobs"),
            (len(every) - asked, sheets, "scripts"),
            (asked, agents, "sheets of agents"),
        )
        for count, most, what in (*found, (len(live[job]), mine, "sheets of the job")):
            if most is not None and count > most:
                said = f"{count} {what} at a time, {most} are allowed"
                wrong.append(
                    Violation(
                        "limits", said, job, sheet, at, (str(sorted(live)), attempt.evidence())
                    )
                )
    return wrong


def once(
    ledger: Ledger,
    completed: Mapping[Sheet, int],
    excused: Callable[[Attempt, int], bool],
) -> tuple[list[Violation], int]:
    """Every completed sheet has its one completed attempt; and how many more were excused.

    ``completed`` has the attempt that the conductor says it completed with. ``excused`` says of
    another attempt that worked, and of the time when the next began, whether its result may have
    been lost: its worker died before it could have written it down.
    """
    wrong, lost = [], 0
    for (job, sheet), number in completed.items():
        made = ledger.attempts.get((job, sheet), [])
        by_number = {attempt.start.attempt: attempt for attempt in made}
        proof = tuple(attempt.evidence() for attempt in made)
        chosen = by_number.get(number)
        if chosen is None or not chosen.worked:
            seen = "never began" if chosen is None else "did not work"
            said = f"completed with attempt {number}, which {seen}"
            wrong.append(Violation("one completed attempt", said, job, sheet, 0, proof))
        for attempt, after in zip_longest(made, made[1:]):
            if not attempt.worked or attempt is chosen:
                continue
            at = after.start.at if after else 0
            if after is not None and attempt.start.attempt < number and excused(attempt, at):
                lost += 1
                continue
            said = f"attempt {attempt.start.attempt} had worked, completed with {number}"
            # What struck shortly after its end is the evidence that is wanted.
            shown = attempt.end.at + AFTERWARDS if attempt.end else at
            wrong.append(Violation("finished work runs once", said, job, sheet, shown, proof))
    return wrong, lost


def only_asked(ledger: Ledger, jobs: Iterable[str]) -> list[Violation]:
    """Nothing ran of a job that nobody submitted."""
    known = set(jobs)
    strange = {job for job, _ in ledger.attempts if job not in known}
    return [Violation("only what was asked", "nobody submitted it", job) for job in strange]

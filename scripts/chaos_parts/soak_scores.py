"""Random jobs, and what end each of them must come to. Pure: a seed gives the same job."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from random import Random

COMPLETED, FAILED, SKIPPED = "completed", "failed", "skipped"

# How a sheet behaves, and how often it is chosen.
BEHAVIOURS = {
    "works": 40,
    "flaky": 12,  # fails some times, and has as many retries
    "limited": 8,  # its agent says some times that it may not be asked yet
    "checked late": 6,  # its validation passes at the second attempt only
    "skipped": 5,  # its skip command says so
    "kept": 4,  # its skip command says no
    "child": 6,  # leaves a child in the background
    "escapes": 5,  # leaves a child in a session of its own
    "sheds": 4,  # leaves one with a cleared environment as well
    "fails": 4,
    "fails again": 3,  # as often as it has retries, and once more
    "too long": 3,  # its time limit ends it
    "broken": 4,  # fails until its owner repairs something
}
HOPELESS = ("fails", "fails again", "too long")


@dataclass(frozen=True)
class Sheet:
    """One sheet: ``failures`` are how often it fails before it works (of its own accord)."""

    num: int
    behaviour: str
    needs: tuple[int, ...] = ()
    seconds: float = 0.0
    failures: int = 0
    code: int = 1


AGENTS = 3
"""Instruments that are asked, beside the shell: a limit holds up all jobs that ask the same one."""

WAIT = 0.3
"""Seconds for which an agent says that it may not be asked."""

HOOKS = ("success", "failure", "exit")
"""After which ends something follows a job."""


@dataclass(frozen=True)
class Score:
    """A job as its customer knows it; ``most`` sheets of it at once, ``follower`` is the name of
    the job that comes after it; ``hooked``: what follows each of its ends leaves a mark."""

    name: str
    sheets: tuple[Sheet, ...]
    most: int | None = None
    follower: str | None = None
    hooked: bool = False
    repaired: bool = False

    @property
    def breakable(self) -> bool:
        """Whether a repair changes its end."""
        return any(sheet.behaviour == "broken" for sheet in self.sheets)

    def asks(self, num: int) -> bool:
        """Whether the sheet is an agent's."""
        return self.sheets[num - 1].behaviour == "limited"

    def repair(self) -> Score:
        """The same after its owner repaired what is broken."""
        return replace(self, repaired=True)

    def ends(self) -> dict[int, str]:
        """The end of each sheet when nobody interferes."""
        ends: dict[int, str] = {}
        stopped: set[int] = set()
        for sheet in self.sheets:
            if any(need in stopped for need in sheet.needs):
                ends[sheet.num] = SKIPPED
                stopped.add(sheet.num)
            elif sheet.behaviour in HOPELESS or (sheet.behaviour == "broken" and not self.repaired):
                ends[sheet.num] = FAILED
                stopped.add(sheet.num)
            elif sheet.behaviour == "skipped":
                ends[sheet.num] = SKIPPED
            else:
                ends[sheet.num] = COMPLETED
        return ends

    def end(self) -> str:
        """The end of the job when nobody interferes."""
        return FAILED if FAILED in self.ends().values() else COMPLETED


@dataclass(frozen=True)
class Place:
    """Where a campaign keeps its things; ``token`` names its processes beyond doubt."""

    folder: str
    witness: str
    token: str
    locks: str = field(default="locks")
    hooks: str = field(default="hooks")


def random_score(random: Random, name: str, sheets: int, longest: float) -> Score:
    """A job of up to ``sheets`` sheets of up to ``longest`` seconds; some are wide and short."""
    count, wide = random.randint(1, sheets), random.random() < 0.1
    if wide:
        count, longest = sheets * 3, 0.02
    # Most jobs are to complete: hopeless sheets would hide what comes after them.
    tame = {k: v for k, v in BEHAVIOURS.items() if k not in (*HOPELESS, "broken")}
    choice = BEHAVIOURS if random.random() < 0.3 else tame
    made = []
    for num in range(1, count + 1):
        behaviour = "works" if wide else random.choices(tuple(choice), tuple(choice.values()))[0]
        most = 0 if wide else min(num - 1, random.choice((0, 1, 1, 2, 3)))
        needs = tuple(sorted(random.sample(range(1, num), most)))
        some = random.randint(1, 2)
        failures = {"flaky": some, "limited": some, "checked late": 1}.get(behaviour, 0)
        seconds = round(random.uniform(0.0, longest), 3)
        made.append(Sheet(num, behaviour, needs, seconds, failures, random.randint(1, 9)))
    bound = random.choice((None, None, None, 1, 2))
    return Score(name, tuple(made), bound, hooked=random.random() < 0.4)


def text(score: Score, place: Place) -> str:
    """The score as YAML."""
    lines = [f"name: {score.name}", f"workspace: ./spaces/{score.name}"]
    if score.most is not None:
        lines.append(f"parallel: {{max_concurrent: {score.most}}}")
    hooks = {when: [_mark(score.name, when, place)] for when in HOOKS if score.hooked}
    if score.follower is not None:
        hooks.setdefault("success", []).append(f"type: run_job, job_path: {score.follower}.yaml")
        lines.append("concert: {enabled: true, cooldown_between_jobs_seconds: 0.3}")
    for when, made in hooks.items():
        lines += [f"on_{when}:", *(f"  - {{{hook}}}" for hook in made)]
    lines.append("sheets:")
    for sheet in score.sheets:
        lines += _sheet(score.name, sheet, place)
    return "\n".join(lines) + "\n"


def _mark(name: str, when: str, place: Place) -> str:
    return f"type: run_command, command: 'echo >> {place.folder}/{place.hooks}/{name}.{when}'"


def _sheet(name: str, sheet: Sheet, place: Place) -> list[str]:
    lines = [f"  - name: s{sheet.num}"]
    if sheet.needs:
        lines.append(f"    needs: [{', '.join(f's{num}' for num in sheet.needs)}]")
    retries = {"fails again": 1, "limited": 0}.get(sheet.behaviour, sheet.failures)
    if retries:
        delay = "base_delay_seconds: 0.3, jitter: false, exponential_base: 1"
        lines.append(f"    retry: {{max_retries: {retries}, {delay}}}")
    if sheet.behaviour == "too long":
        lines.append("    timeout: 1s")
    if sheet.behaviour == "checked late":
        lines += ["    validate:", f"      - file_exists: good.{sheet.num}"]
    if sheet.behaviour in ("skipped", "kept"):
        command = "true" if sheet.behaviour == "skipped" else "test -e never"
        lines.append(f"    skip_when_command: {{command: '{command}'}}")
    script = _script(name, sheet, place)
    if sheet.behaviour == "limited":
        # A limit uses up no retry, and there is none.
        lines += [f"    instrument: agent{sheet.num % AGENTS}", "    retry: {max_retries: 0}"]
        return [*lines, "    prompt: |", *(f"      DO {line}" for line in script)]
    return [*lines, "    run: |", *(f"      {line}" for line in script)]


def _script(name: str, sheet: Sheet, place: Place) -> list[str]:
    witness, num = place.witness, sheet.num
    idle = f"sleep 900.{place.token}"
    # Every process of the attempt has the lock, so the next attempt sees who still lives.
    begin = [f"exec 9>>{place.folder}/{place.locks}/{name}.{num}", f"{witness} start"]
    wait = [f"sleep {sheet.seconds}"] if sheet.seconds > 0.01 else []
    body: dict[str, list[str]] = {
        "child": [f"{idle} &"],
        "escapes": [f"setsid -f {idle} >/dev/null 2>&1"],
        "sheds": [f"(cd / && env -i {_which('setsid')} -f {idle} >/dev/null 2>&1)"],
        "too long": [idle],
        "fails": [f"{witness} end fails", f"exit {sheet.code}"],
        "fails again": [f"{witness} end fails", f"exit {sheet.code}"],
        "broken": [f"test -e repaired || {{ {witness} end fails; exit {sheet.code}; }}"],
        "flaky": _at_first(sheet, witness),
        "limited": _at_first(sheet, witness, f"echo rate limit, retry after {WAIT} seconds >&2; "),
        "checked late": [
            f"if [ ! -e tried.{num} ]; then {witness} end unchecked; touch tried.{num}; exit 0; fi",
            f"touch good.{num}",
        ],
    }
    return [*begin, *wait, *body.get(sheet.behaviour, []), f"{witness} end works"]


def _at_first(sheet: Sheet, witness: str, says: str = "") -> list[str]:
    """Fails so many times. What it notes before its end counts also when nobody hears of it."""
    tried = f"tried.{sheet.num}"
    return [
        f"if [ $(cat {tried} 2>/dev/null | wc -l) -lt {sheet.failures} ]; then",
        f"  {witness} end fails; echo >> {tried}; {says}exit {sheet.code}",
        "fi",
    ]


def agents(place: Place) -> dict[str, str]:
    """What makes the agents, by name of the file below the place: a program that does what its
    prompt says, and profiles of it."""
    program = f"{place.folder}/agent"
    found = {"agent": "#!/bin/bash\nexec bash -eu -c \"$(sed -n 's/^DO //p')\"\n"}
    for number in range(AGENTS):
        found[f".marianne/instruments/agent{number}.yaml"] = (
            f"name: agent{number}\nkind: cli\ncli:\n"
            f"  command: {{executable: {program}, prompt_via_stdin: true}}\n"
            "  errors: {rate_limit_patterns: ['rate limit']}\n"
        )
    return found


def _which(program: str) -> str:
    return f"/usr/bin/{program}"

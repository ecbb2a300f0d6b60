"""Random jobs whose sheets keep a log of their own, so that others can say what really ran."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

# The log's lines: start NUM ATTEMPT, end NUM ATTEMPT, overlap NUM ATTEMPT. Each is one write to a
# file opened for appending. The lock is held by every process of the attempt: whoever finds it
# taken runs beside a living attempt of the same sheet.
SHEET = """\
exec 9>>lock.{num}
flock -n 9 || echo "overlap {num} $MARIANNE_ATTEMPT" >> log
echo "start {num} $MARIANNE_ATTEMPT" >> log
{body}
echo "end {num} $MARIANNE_ATTEMPT" >> log
"""
FLAKY = "test $MARIANNE_ATTEMPT -gt {failures} || exit 1"


@dataclass(frozen=True)
class Score:
    """A score and what is known of it: ``needs`` by sheet number."""

    name: str
    text: str
    needs: dict[int, tuple[int, ...]]
    hopeless: bool


def random_score(random: Random, name: str, sheets: int, longest: float) -> Score:
    """A job of up to ``sheets`` sheets of up to ``longest`` seconds; some fail at first, few for
    ever."""
    count = random.randint(1, sheets)
    needs: dict[int, tuple[int, ...]] = {}
    lines = [f"name: {name}", f"workspace: ./{name}", "sheets:"]
    hopeless = random.random() < 0.05
    for num in range(1, count + 1):
        most = min(num - 1, random.choice((0, 1, 1, 2, 3)))
        needs[num] = tuple(sorted(random.sample(range(1, num), most)))
        body = f"sleep {random.uniform(0.0, longest):.3f}"
        retries = 0
        if hopeless and num == count:
            body += "; exit 1"
        elif random.random() < 0.15:
            # Interrupted attempts count on: at most this many of them fail by themselves.
            body += "; " + FLAKY.format(failures=(retries := random.randint(1, 2)))
        script = SHEET.format(num=num, body=body).replace("\n", "\n      ")
        lines.append(f"  - name: s{num}")
        if needs[num]:
            lines.append(f"    needs: [{', '.join(f's{n}' for n in needs[num])}]")
        if retries:
            delay = "base_delay_seconds: 0.1, jitter: false"
            lines.append(f"    retry: {{max_retries: {retries}, {delay}}}")
        lines.append(f"    run: |\n      {script}")
    return Score(name, "\n".join(lines) + "\n", needs, hopeless)

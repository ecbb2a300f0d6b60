"""``marianne init [NAME]``."""

from __future__ import annotations

import re
from pathlib import Path

import click

from marianne.cli.errors import CliError
from marianne.cli.options import Verb
from marianne.cli.render.out import note, say

SCORE = """\
# A score: the sheets of a job. Each runs once those it needs have completed; what does not wait
# for each other runs in parallel. Run it with: marianne run {name}.yaml --follow
name: {name}
workspace: ./{name}-out
sheets:
  - name: numbers
    run: seq 1 100000 > numbers.txt
  - name: evens
    needs: [numbers]
    run: awk '$1 % 2 == 0' numbers.txt > evens.txt
  - name: odds
    needs: [numbers]
    run: awk '$1 % 2 == 1' numbers.txt > odds.txt
  - name: report
    needs: [evens, odds]
    run: |
      wc -l evens.txt odds.txt | tee report.txt
    retry: {{max_retries: 2, base_delay_seconds: 1}}
    timeout: 1m
    validate:
      - file_exists: report.txt
      - command_succeeds: test "$(cat evens.txt odds.txt | wc -l)" -eq 100000
"""


@click.command("init", cls=Verb)
@click.argument("name", default="hello")
@click.option("--force", is_flag=True, help="Replace a file that is there.")
def command(name: str, force: bool) -> None:
    """Write a small score to begin with.

    Writes NAME.yaml into the present directory.
    """
    name = name.removesuffix(".yaml").removesuffix(".yml")
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}", name):
        raise click.UsageError(f"{name!r} cannot be a job's name: letters, digits, - and _ only")
    path = Path(f"{name}.yaml")
    try:
        with path.open("w" if force else "x", encoding="utf-8") as file:
            file.write(SCORE.format(name=name))
    except FileExistsError:
        raise CliError("conflict", f"{path} is there already", "--force replaces it") from None
    say(f"wrote {path}")
    note(f"run it with: marianne run {path} --follow")

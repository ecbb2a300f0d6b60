"""The score that ``marianne init`` writes: it runs as it stands, and its comments teach."""

from __future__ import annotations

STARTER = """\
# A score: sheets that a conductor plays. Check it with 'marianne validate', play it with
# 'marianne run --wait'. Everything that can stand here is described in docs/scores.md.
name: {name}

# Where the sheets work, relative to this file. It is made when the job starts.
workspace: ./workspace

# Filled into the scripts below as {{{{ count }}}}; 'marianne run --var count=20' changes it.
variables:
  count: 10

sheets:
  # 'run' is a bash script; its first failing command ends the sheet.
  - name: numbers
    run: seq 1 {{{{ count }}}} > numbers.txt

  # Both of these need 'numbers', and not each other: they run at the same time.
  - name: sum
    needs: [numbers]
    run: awk '{{s += $1}} END {{print s}}' numbers.txt > sum.txt
    validate:
      # Exit code 0 is not success: all of these must hold.
      - file_exists: sum.txt
      - content_regex: {{path: sum.txt, pattern: '^[0-9]+$'}}

  - name: squares
    needs: [numbers]
    # One sheet for each value; {{{{ item }}}} is the value.
    each: [odd, even]
    run: |
      awk '$1 % 2 == {{{{ 1 if item == "odd" else 0 }}}} {{print $1 * $1}}' numbers.txt \\
        > {{{{ item }}}}.txt

  - name: report
    needs: [sum, squares]
    # Tried again when it fails; ended when it takes too long.
    retry: {{max_retries: 2, base_delay_seconds: 1}}
    timeout: 1m
    run: |
      echo "sum: $(cat sum.txt)" | tee report.txt
      echo "squares: $(cat odd.txt even.txt | wc -l)" | tee -a report.txt
    validate:
      - command_succeeds: test "$(wc -l < report.txt)" -eq 2
"""


def starter_score(name: str = "my-first-score") -> str:
    """The text of a score of that name; the name must be one that a score may have."""
    return STARTER.format(name=name)

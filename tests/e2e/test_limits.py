"""Each limit ends its sheet with its own reason, and all that the sheet started."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from e2e_marianne import Marianne, conductor

HOLD = "sleep 600 & setsid sleep 600 & "

LIMITS = {
    # the sheet's fields, its script, the category, a word of the message
    "timeout": ("timeout: 1s", f"{HOLD} sleep 600", "timeout", "longer than 1 s"),
    "idle": ("idle_timeout: 1s", f"{HOLD} echo once; sleep 600", "idle", "nothing for 1 s"),
    "memory": (
        "max_memory_mb: 100",
        # Below the limit each, above it together: it is the tree that counts.
        f"{HOLD} for i in 1 2 3; do python3 -c 'b = b\"x\" * 60_000_000; input()' < "
        "<(sleep 600) & done; wait",
        "resource_limit",
        "100 MB",  # the kernel says it in other words than we
    ),
    "output": (
        "",
        f"{HOLD} head -c 3000000 /dev/zero; sleep 600",
        "output_limit",
        "1,048,576 bytes",
    ),
}


@pytest.fixture(scope="module")
def marianne(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Marianne]:
    config = "output_limit_mb: 1\nsheet_grace_seconds: 0.5\n"
    with conductor(tmp_path_factory.mktemp("limits"), config) as program:
        yield program


@pytest.mark.parametrize("limit", LIMITS)
def test_a_limit_ends_its_sheet_with_its_reason(marianne: Marianne, limit: str) -> None:
    fields, script, category, words = LIMITS[limit]
    marianne.submit(limit, f"sheets:\n  - name: a\n    {fields}\n    run: |\n      {script}\n")
    status = marianne.wait(limit, code=1)
    error = status["sheets"][0]["error"]
    assert status["status"] == "failed"
    assert error["category"] == category, error
    assert words in error["message"]
    left = [line for line in marianne.processes().values() if line.startswith("sleep 600")]
    assert left == []

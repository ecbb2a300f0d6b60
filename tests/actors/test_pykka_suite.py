"""pykka's own suite passes with our actors, but for the tests that docs/actors.md names."""

from __future__ import annotations

from pathlib import Path

import pykka_suite
import pytest


@pytest.mark.slow
def test_pykkas_suite_passes_but_for_what_the_page_says(
    pytestconfig: pytest.Config, tmp_path: Path
) -> None:
    cache = getattr(pytestconfig, "cache", None)
    try:
        sdist = pykka_suite.fetch(tmp_path if cache is None else cache.mkdir("pykka"))
    except pykka_suite.UnavailableError as why:
        pytest.skip(str(why))
    for which, result in pykka_suite.run(sdist).items():
        assert pykka_suite.functions(result.failed) == pykka_suite.expected(which), which
        assert len(result.passed) > 100

"""A score that is too much, or no file, ends `validate` with words; nothing waits for ever."""

from __future__ import annotations

import mmap
import os
import threading
from typing import Any

import pytest

from marianne.cli import source
from marianne.cli.bounded import bounded
from marianne.cli.errors import CliError
from marianne.score import limits
from marianne.score.template import _explain

ENDLESS = """name: endless
workspace: ./w
sheets:
  - name: a
    run: "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"
"""

HUGE = """name: huge
workspace: ./w
sheets:
  - name: a
    run: |
      {% set n = namespace(l=[1]) %}
      {% for a in range(40) %}{% set n.l = n.l + n.l %}{% endfor %}
"""

SMALL = "name: small\nworkspace: ./w\nsheets:\n  - {name: a, run: 'true'}\n"


@pytest.mark.slow
def test_a_score_that_never_ends_is_invalid_by_the_readers_limit(
    marianne, tmp_path, monkeypatch
) -> None:
    monkeypatch.setattr(limits, "CPU_SECONDS", 1)
    (tmp_path / "endless.yaml").write_text(ENDLESS)
    told = marianne("validate", "endless.yaml")
    assert told.code == 2
    assert "too much memory or time" in told.err


@pytest.mark.slow
def test_a_score_that_fills_the_memory_is_invalid_by_the_readers_limit(marianne, tmp_path) -> None:
    (tmp_path / "huge.yaml").write_text(HUGE)
    told = marianne("validate", "huge.yaml", "--json")
    assert told.code == 2
    assert "memory" in told.json[0]["problems"][0]["message"]


@pytest.mark.parametrize(
    "error", [MemoryError(), SystemError("error return without exception set")]
)
def test_what_c_code_makes_of_the_limit_is_the_limit(error: Exception) -> None:
    def read() -> dict[str, Any]:
        raise error

    with pytest.raises(CliError, match="too much memory") as told:
        bounded(read)
    assert told.value.code == "invalid_score"
    assert "more memory" in _explain(error).message


def test_what_the_reader_had_before_is_not_the_scores_memory(marianne, tmp_path) -> None:
    """Also where more was mapped than a score may take."""
    some = SMALL.replace("'true'", "\"true {{ ('a' * 9000000) | length }}\"")
    (tmp_path / "small.yaml").write_text(some)
    with mmap.mmap(-1, limits.MEMORY_BYTES + (1 << 28)):  # never touched: it takes no memory
        assert marianne("validate", "small.yaml").code == 0


def test_a_pipe_without_a_writer_is_not_waited_for(marianne, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(source, "WRITER_SECONDS", 0.1)
    os.mkfifo(tmp_path / "pipe")
    for verb in (["validate", "pipe"], ["run", "pipe", "--no-start"]):
        told = marianne(*verb)
        assert told.code == 2
        assert "nothing was written" in told.err


def test_a_pipe_with_a_writer_is_read_here(marianne, tmp_path) -> None:
    os.mkfifo(tmp_path / "pipe")
    writer = threading.Thread(target=(tmp_path / "pipe").write_text, args=(SMALL,))
    writer.start()
    told = marianne("validate", "pipe")
    writer.join()
    assert told.code == 0, told


@pytest.mark.parametrize("device", ["/dev/zero", "/dev/urandom"])
def test_a_device_without_end_is_too_large(marianne, device) -> None:
    told = marianne("validate", device)
    assert told.code == 2
    assert "larger than 8 MiB" in told.err

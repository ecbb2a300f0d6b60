"""What a worker says keeps it from nothing."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

WORDS = "from marianne.run.complain import complain; complain('here'); complain('x' * 9000)"


def test_a_word_is_a_line_with_who_says_it() -> None:
    done = subprocess.run([sys.executable, "-c", WORDS], capture_output=True, text=True, check=True)
    first = done.stderr.splitlines()[0]
    assert first.startswith("marianne worker ")
    assert first.endswith(": here")


@pytest.mark.parametrize("gone", [False, True])
def test_a_reader_who_has_stopped_or_is_gone_keeps_no_worker_waiting(gone: bool) -> None:
    unread, stderr = os.pipe()
    os.set_blocking(stderr, False)
    try:
        while True:
            os.write(stderr, bytes(4096))
    except BlockingIOError:
        os.set_blocking(stderr, True)
    if gone:
        os.close(unread)
    subprocess.run([sys.executable, "-c", WORDS], stderr=stderr, check=True, timeout=60)
    os.close(stderr)
    if not gone:
        os.close(unread)

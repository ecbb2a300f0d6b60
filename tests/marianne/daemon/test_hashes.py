"""Hash functions without OpenSSL are the same functions."""

from __future__ import annotations

import hashlib
import hmac
import subprocess
import sys

import pytest

from marianne.daemon.processes import hashes

SAY = """
import hashlib, hmac
print(hmac.new(b"key", b"text", "sha256").hexdigest())
print(sorted(hashlib.new(name).name for name in hashlib.algorithms_guaranteed))
print("_hashlib" in sys.modules)
"""
BEFORE = "import sys, hashlib"
WITHOUT = "import sys; from marianne.daemon.processes import hashes; hashes.leave_openssl_out()"


def said(*code: str) -> list[str]:
    command = [sys.executable, "-c", "\n".join((*code, SAY))]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()


@pytest.mark.skipif(not hashes.complete(), reason="this Python has OpenSSL's functions alone")
def test_nothing_is_missing_without_openssl() -> None:
    digest = hmac.new(b"key", b"text", "sha256").hexdigest()
    names = str(sorted(hashlib.new(name).name for name in hashlib.algorithms_guaranteed))
    assert said(WITHOUT) == [digest, names, "False"]


def test_what_was_imported_before_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    assert said(BEFORE, WITHOUT)[2] == said(BEFORE)[2]
    monkeypatch.delitem(sys.modules, "_hashlib", raising=False)
    monkeypatch.setattr(hashes, "_OWN", ("no_such_module",))
    hashes.leave_openssl_out()
    assert sys.modules.get("_hashlib", hashes) is not None

"""Hash functions without OpenSSL, which ``hashlib`` and ``hmac`` take along where they find it.

It is a thirteenth of the memory of a conductor at rest, and none of what a conductor hashes is so
long that it would be quicker: Python's own functions, which have the same names, do. For a process
that is ours alone: a program that embeds a conductor keeps its own.
"""

from __future__ import annotations

import sys
from importlib.util import find_spec

_OPENSSL = "_hashlib"
_SHA2 = ("_sha2",) if sys.version_info >= (3, 12) else ("_sha256", "_sha512")
_OWN = ("_md5", "_sha1", "_sha3", "_blake2", *_SHA2)


def complete() -> bool:
    """Whether this Python was built with functions of its own for all that hashlib promises."""
    return all(find_spec(name) is not None for name in _OWN)


def leave_openssl_out() -> None:
    """Has both modules imported without it. Does nothing where one of them was imported before, or
    where it is all that there is."""
    if _OPENSSL in sys.modules or not complete():
        return
    sys.modules[_OPENSSL] = None  # type: ignore[assignment]  # what an ImportError is made of
    try:
        import hmac  # noqa: F401 - it imports hashlib
    finally:
        del sys.modules[_OPENSSL]

"""What the forkserver imports last: what each of its children would do again is done once."""

from __future__ import annotations

from marianne.records import compile_all

compile_all()

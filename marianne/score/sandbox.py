"""The Jinja2 environment of templates: sandboxed, strict, and bounded in what one step can make."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from jinja2 import StrictUndefined
from jinja2.exceptions import SecurityError
from jinja2.runtime import Context
from jinja2.sandbox import SandboxedEnvironment

from marianne.score.absent import plain

MAX_PRODUCT = 10_000_000
_WIDE = re.compile(r"%[^a-zA-Z%]*(\*|\d{5})")


class Sandbox(SandboxedEnvironment):
    """Undefined names are errors; no loader; ``*`` and ``**`` cannot make huge values."""

    intercepted_binops: ClassVar[frozenset[str]] = frozenset({"*", "**", "%"})  # type: ignore[misc]

    def __init__(self, *, filters: Mapping[str, Callable[..., Any]], **marks: str) -> None:
        super().__init__(
            undefined=StrictUndefined, autoescape=False, keep_trailing_newline=True, **marks
        )
        self.filters.update(filters)
        self.policies["json.dumps_kwargs"] = {"sort_keys": True, "default": plain}
        del self.globals["lipsum"]  # filler text, as much as one asks for

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """Refuses products of a size that no prompt has."""
        if operator == "**" and (abs(left) > 10_000 or abs(right) > 64):
            raise SecurityError("a power this large")
        if operator == "*":
            sizes = [len(side) for side in (left, right) if isinstance(side, (str, list, tuple))]
            factors = [side for side in (left, right) if isinstance(side, int)]
            if sizes and factors and sizes[0] * factors[0] > MAX_PRODUCT:
                raise SecurityError("a repetition this long")
        if operator == "%" and isinstance(left, str) and _WIDE.search(left):
            raise SecurityError("a field this wide")
        return super().call_binop(context, operator, left, right)

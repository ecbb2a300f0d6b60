"""One module a verb. Each has ``Params`` (a pydantic model, or None for no parameters),
``MUTATING`` (whether a resent request must not act twice) and ``handle(call, params)``.

``handle`` never waits: it answers at once or returns a future. One that is ``QUICK`` takes about as
long as to hand the request to another thread, whatever there is of jobs and sheets; so it runs
where the request was read. If it is mutating, whoever it hands the request to looks for an earlier
reply. Modules are imported at their first request, so that a conductor starts without pydantic.
"""

from __future__ import annotations

import importlib
import pkgutil
from types import ModuleType
from typing import Any

from marianne.daemon.shared.refusal import Refused

METHODS = tuple(
    sorted(module.name.replace("_", ".", 1) for module in pkgutil.iter_modules(__path__))
)
"""``job.status`` is what the module ``job_status`` answers."""

MOST_PROBLEMS = 20
"""Of one request, that are told."""

_found: dict[str, ModuleType] = {}


def find(method: str) -> Any:
    """The handler module of a method; refuses with ``unknown_method``."""
    module = _found.get(method)
    if module is None:
        if method not in METHODS:
            raise Refused(
                "unknown_method",
                f"this conductor does not know the method {method!r}",
                hint="is it older than the client? `marianne conductor-status` tells its version",
                data={"method": method},
            )
        module = importlib.import_module(f"{__name__}.{method.replace('.', '_')}")
        _found[method] = module
    return module


def quick(method: str) -> Any | None:
    """The handler module of a method if it is quick, and was asked for before."""
    module = _found.get(method)
    return module if module is not None and getattr(module, "QUICK", False) else None


def validate(handler: Any, params: dict[str, Any]) -> Any:
    """The handler's parameters; refuses with ``invalid_params`` and every problem at once."""
    if handler.Params is None:
        return None
    from pydantic import ValidationError

    try:
        return handler.Params.model_validate(params)
    except ValidationError as error:
        problems = [
            {"path": ".".join(str(part) for part in e["loc"]), "message": e["msg"]}
            for e in error.errors(include_url=False, include_context=False, include_input=False)
        ]
        problems = problems[:MOST_PROBLEMS]
        text = "; ".join(f"{p['path']:.200}: {p['message']}" for p in problems)
        raise Refused("invalid_params", text, data={"problems": problems}) from None

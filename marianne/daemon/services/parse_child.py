"""What the parser's child process does: one score in, one plan or its problems out."""

from __future__ import annotations

import errno
import gc
import os
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgpack

from marianne.daemon.shared.parsed import EXIT_NO_SPACE, ParseRequest
from marianne.instruments.registry import Registry, builtins
from marianne.model.errors import ScoreError
from marianne.model.placement import executors_of
from marianne.model.plan import Plan
from marianne.score import limits
from marianne.score.choice import Range, left_out
from marianne.score.load import load_plan, read_score
from marianne.score.pack import pack_plan
from marianne.score.preview import preview_plan
from marianne.score.settings import UNSET

if TYPE_CHECKING:
    from marianne.replies.changes import DryPlan
    from marianne.walls.offers import Offers

builtins()  # read where the forkserver loads this module, once for all the children

_FULL = (errno.ENOSPC, errno.EDQUOT)

PREVIEW_BYTES = 6 << 20
"""Of the sheets of a dry run: what an answer has room for."""

AFTER = ("on_success", "on_failure", "on_exit", "concert", "notifications")


def parse(request: ParseRequest) -> dict[str, Any]:
    """The fields of ``Parsed``, or ``problems`` and ``message``."""
    try:
        # Kept as it was read: the plan and the stored score are of the same text.
        text = read_score(request.path) if request.text is None else request.text
        plan = load_plan(
            request.path,
            text,
            base_dir=request.base_dir,
            workspace=request.workspace,
            variables=request.variables,
            instruments=Registry.load(request.instruments),
            search_path=request.search_path,
            settings=request.settings or UNSET,
            executor=request.executor,
            shell=request.preview,
            walls=_walls,
        )
        out = _left_out(plan, request)
    except ScoreError as error:
        return {"problems": [p.to_map() for p in error.problems], "message": error.render()}
    return {
        "name": plan.name,
        "workspace": plan.workspace,
        "sheet_count": len(plan.sheets),
        "config_hash": plan.config_hash,
        "score": text,
        "plan": pack_plan(plan),
        "warnings": list(plan.warnings),
        "preview": _preview(plan, request.first, out) if request.preview else None,
        "left_out": out,
        "after": {key: plan.extras[key] for key in AFTER if plan.extras.get(key)},
        "repeatable": plan.template_files == 0,
        "programs": _programs(plan),
        "executors": list(executors_of(plan)),
        "named": "{job_id}" in os.path.basename(plan.workspace),
        "single": bool(plan.extras.get("single")),
        "archives": bool((plan.extras.get("workspace_lifecycle") or {}).get("archive_on_fresh")),
    }


def _walls() -> Offers:
    from marianne.walls.offers import looked_for  # late: few scores ask for walls

    return looked_for()


def _left_out(plan: Plan, request: ParseRequest) -> list[Range]:
    if not (request.only or request.start or request.until):
        return []
    start = request.start or (str(request.first) if request.first > 1 else None)
    return left_out(plan.sheets, request.only, start, request.until)


def _preview(plan: Plan, first: int, out: Sequence[Range]) -> DryPlan:
    skipped = {num for low, high in ((1, first - 1), *out) for num in range(low, high + 1)}
    return preview_plan(plan, skipped, PREVIEW_BYTES)


def _programs(plan: Plan) -> list[tuple[str, bool]]:
    """The programs that the score's instruments call, and whether each is there."""
    players = {
        id(player): player
        for sheet in plan.written
        for player in (sheet.instrument, *sheet.fallbacks)
    }
    found = {
        str(player.command["executable"]): player.unavailable is None
        for player in players.values()
        if player.command
    }
    return sorted(found.items())


def parse_main(request: ParseRequest, answer: str) -> None:
    """The child: reads the score, writes the plan or the problems to ``answer`` atomically."""
    limits.confine()
    gc.disable()  # it ends in a moment, and its memory is bounded
    try:
        found = msgpack.packb(parse(request))
    except limits.NO_MEMORY:
        limits.out_of_memory()
    except Exception:  # noqa: BLE001 - a fault of ours, told by the parser
        found = msgpack.packb({"fault": traceback.format_exc()})
    part = Path(answer + ".part")
    try:
        part.write_bytes(found)
        part.rename(answer)
    except OSError as error:
        part.unlink(missing_ok=True)
        sys.exit(EXIT_NO_SPACE if error.errno in _FULL else 1)

"""What a score says that has no effect here: named by ``validate`` and ``run`` with its place and
the reason, so that nothing is silently dead."""

from __future__ import annotations

from collections.abc import Sequence

from marianne.model.document import PathPart, render_path
from marianne.score.expand_reference import LEGACY_DEFAULT
from marianne.score.models_inert import INERT, INERT_BACKEND, INERT_HOOK
from marianne.score.models_reference import Common, ReferenceScore
from marianne.score.report import Report

HOSTED = "needs a hosted model"


def warn_of_inert(score: Common, report: Report) -> None:
    """Warns of every section and field that is given and has no effect."""
    given = score.model_fields_set
    for key, reason in INERT.items():
        if key in given and getattr(score, key) is not None:
            _warn(report, (key,), reason)
    if score.rate_limit is not None and score.rate_limit.detection_patterns:
        _warn(report, ("rate_limit", "detection_patterns"), "the profile's patterns count")
    if score.parallel is not None:
        if score.parallel.fail_fast:
            _warn(report, ("parallel", "fail_fast"), "a failed sheet never stops its siblings")
        if score.parallel.budget_partition:
            _warn(report, ("parallel", "budget_partition"), "limits hold for the whole job")
    if "check_interval_seconds" in score.stale_detection.model_fields_set:
        path = ("stale_detection", "check_interval_seconds")
        _warn(report, path, "the idle limit is exact")
    _warn_of_what_follows(score, report)
    if isinstance(score, ReferenceScore):
        _warn_of_reference(score, report)
    _check_backend(score, report)


def _warn(report: Report, path: Sequence[PathPart], reason: str) -> None:
    report.warn_at(path, f"{render_path(path)}: accepted, no effect ({reason})", key=True)


def _warn_of_what_follows(score: Common, report: Report) -> None:
    for index, notice in enumerate(score.notifications):
        if notice.type == "email":
            reason = "use 'command', which gets JSON on its standard input: mail -s done me"
            _warn(report, ("notifications", index, "email"), reason)
        if "machine" in notice.on_events:
            reason = "what happens to the machine is told to those in conductor.yaml"
            _warn(report, ("notifications", index, "on_events"), reason)
    lists = {
        "on_success": score.on_success,
        "on_failure": score.on_failure,
        "on_exit": score.on_exit,
    }
    for name, hooks in lists.items():
        for index, hook in enumerate(hooks):
            for field, reason in INERT_HOOK.items():
                if field in hook.model_fields_set:
                    _warn(report, (name, index, field), reason)


def _warn_of_reference(score: ReferenceScore, report: Report) -> None:
    sheet = score.sheet
    hosted = {
        ("sheet", "prompt_extensions"): bool(sheet.prompt_extensions),
        ("sheet", "spec_tags"): bool(sheet.spec_tags),
        ("prompt", "prompt_extensions"): bool(score.prompt.prompt_extensions),
    }
    computed = {
        ("sheet", "total_sheets"): sheet.total_sheets is not None,
        ("sheet", "fan_out_stage_map"): sheet.fan_out_stage_map is not None,
    }
    for fields, reason in ((hosted, HOSTED), (computed, "it is computed")):
        for path, given in fields.items():
            if given:
                _warn(report, path, reason)
    for num, movement in score.movements.items():
        if movement.voices is not None and movement.voices != sheet.fan_out.get(num, 1):
            _warn(report, ("movements", num, "voices"), "sheet.fan_out makes the voices")


def _check_backend(score: Common, report: Report) -> None:
    backend = score.backend
    if backend is None:
        return
    for field in sorted(backend.model_fields_set & INERT_BACKEND):
        _warn(report, ("backend", field), "the profile says how its program is called")
    for num, override in backend.sheet_overrides.items():
        for field in sorted(override.model_fields_set & {"temperature", "max_tokens"}):
            _warn(report, ("backend", "sheet_overrides", num, field), HOSTED)
    if score.instrument and backend.type not in {LEGACY_DEFAULT, score.instrument}:
        message = f"conflicts with 'instrument: {score.instrument}'"
        report.error(["backend", "type"], message, "keep one of them")

"""What a score says that has no effect here: named by ``validate``, so that nothing is silently
dead."""

from __future__ import annotations

from marianne.score.expand_reference import LEGACY_DEFAULT
from marianne.score.models_inert import INERT, INERT_BACKEND
from marianne.score.models_reference import Common, ReferenceScore
from marianne.score.report import Report


def warn_of_inert(score: Common, report: Report) -> None:
    """Warns of every section and field that is given and has no effect."""
    given = score.model_fields_set
    for key, reason in INERT.items():
        if key in given and getattr(score, key) is not None:
            _warn(report, key, reason)
    if score.rate_limit is not None and score.rate_limit.detection_patterns:
        _warn(report, "rate_limit.detection_patterns", "the profile's patterns count")
    if score.parallel is not None:
        if score.parallel.fail_fast:
            _warn(report, "parallel.fail_fast", "a failed sheet never stops its siblings")
        if score.parallel.budget_partition:
            _warn(report, "parallel.budget_partition", "limits hold for the whole job")
    if "check_interval_seconds" in score.stale_detection.model_fields_set:
        _warn(report, "stale_detection.check_interval_seconds", "the idle limit is exact")
    for notice in score.notifications:
        if notice.type in ("slack", "webhook", "email"):
            _warn(report, f"notifications.{notice.type}", "use 'command', which gets JSON on stdin")
    if isinstance(score, ReferenceScore):
        _warn_of_reference(score, report)
    _check_backend(score, report)


def _warn(report: Report, field: str, reason: str) -> None:
    report.warn(f"{field}: accepted, no effect ({reason})")


def _warn_of_reference(score: ReferenceScore, report: Report) -> None:
    sheet = score.sheet
    hosted = {
        "sheet.prompt_extensions": bool(sheet.prompt_extensions),
        "sheet.spec_tags": bool(sheet.spec_tags),
        "prompt.prompt_extensions": bool(score.prompt.prompt_extensions),
    }
    computed = {
        "sheet.total_sheets": sheet.total_sheets is not None,
        "sheet.fan_out_stage_map": sheet.fan_out_stage_map is not None,
    }
    for fields, reason in ((hosted, "needs a hosted model"), (computed, "it is computed")):
        for field, given in fields.items():
            if given:
                _warn(report, field, reason)
    for num, movement in score.movements.items():
        if movement.voices is not None and movement.voices != sheet.fan_out.get(num, 1):
            _warn(report, f"movements[{num}].voices", "sheet.fan_out makes the voices")


def _check_backend(score: Common, report: Report) -> None:
    backend = score.backend
    if backend is None:
        return
    for field in sorted(backend.model_fields_set & INERT_BACKEND):
        _warn(report, f"backend.{field}", "the profile says how its program is called")
    for num, override in backend.sheet_overrides.items():
        for field in sorted(override.model_fields_set & {"temperature", "max_tokens"}):
            _warn(report, f"backend.sheet_overrides[{num}].{field}", "needs a hosted model")
    if score.instrument and backend.type not in {LEGACY_DEFAULT, score.instrument}:
        message = f"conflicts with 'instrument: {score.instrument}'"
        report.error(["backend", "type"], message, "keep one of them")

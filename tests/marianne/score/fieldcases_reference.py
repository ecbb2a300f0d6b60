"""The cases of the reference's form, and of what both forms share."""

from __future__ import annotations

from typing import Any

from fieldcases import REFERENCE, Table, argv, extra, prompt, rule, sheet, warning

from marianne.score.models_inert import INERT, INERT_BACKEND, INERT_HOOK

case = Table(REFERENCE)

# -- the top
case("name", {"name": "other"}, lambda p: p.name, "other")
case("description", {"description": "d"}, lambda p: p.description, "d")
case("workspace", {"workspace": "/x/y"}, lambda p: p.workspace, "/x/y")
case("single", {"single": True}, extra("single"), True)
case("instrument", {"instrument": "other"}, sheet(1, "instrument", "profile"), "other")
fallback = {"instrument_fallbacks": ["other"]}
case("instrument_fallbacks", fallback, sheet(1, "fallbacks", 0, "profile"), "other")
alias: dict[str, Any] = {"instruments": {"agent": {"profile": "other", "config": {}}}}
case("instruments.profile", alias, sheet(1, "instrument", "profile"), "other")
config = {"instruments": {"agent": {"profile": "agent", "config": {"model": "m"}}}}
case("instruments.config", config, sheet(1, "instrument", "model"), "m")
pause = {"pause_between_sheets_seconds": 3}
case("pause_between_sheets_seconds", pause, lambda p: p.pause_between_sheets_seconds, 3)

# -- instrument_config
SETTINGS = "instrument_config"
for key, value, reader, result in (
    ("model", "m", argv(), "true --yes --model m --no-mcp"),
    ("cli_model", "m", argv(), "true --yes --model m --no-mcp"),
    ("skip_permissions", False, argv(), "true --no-mcp"),
    ("disable_mcp", False, argv(), "true --yes"),
    ("allowed_tools", ["a", "b"], argv(), "true --yes --tools a,b --no-mcp"),
    ("system_prompt_file", "s.md", argv(), "true --yes --system s.md --no-mcp"),
    ("mcp_config", "m.json", argv(), "true --yes --mcp m.json --no-mcp"),
    ("cli_extra_args", ["-x"], argv(), "true --yes --no-mcp -x"),
    ("working_directory", "/sub", sheet(1, "instrument", "config"), {"working_directory": "/sub"}),
    ("timeout_seconds", "2m", sheet(1, "timeout_seconds"), 120),
    ("timeout_overrides", {2: 7}, sheet(2, "timeout_seconds"), 7),
):
    case(f"{SETTINGS}.{key}", {SETTINGS: {key: value}}, reader, result)

# -- retry
for key, attribute, value in (
    ("max_retries", "max_retries", 7),
    ("base_delay_seconds", "base_delay", 1.5),
    ("max_delay_seconds", "max_delay", 60),
    ("exponential_base", "exponential_base", 3),
    ("jitter", "jitter", False),
    ("max_completion_attempts", "max_completion_attempts", 2),
    ("completion_delay_seconds", "completion_delay", 1),
    ("completion_threshold_percent", "completion_threshold_percent", 80),
):
    case(f"retry.{key}", {"retry": {key: value}}, sheet(1, "retry", attribute), value)

# -- parallel, stale_detection, cross_sheet
case("parallel.enabled", {"parallel": {"enabled": False}}, lambda p: p.max_concurrent, 1)
case("parallel.max_concurrent", {"parallel": {"max_concurrent": 3}}, lambda p: p.max_concurrent, 3)
stagger = {"parallel": {"stagger_delay_ms": 1500}}
case("parallel.stagger_delay_ms", stagger, lambda p: p.stagger_seconds, 1.5)
case("parallel.fail_fast", {"parallel": {"fail_fast": True}}, warning("fail_fast"), True)
budget = {"parallel": {"budget_partition": True}}
case("parallel.budget_partition", budget, warning("budget_partition"), True)
takes = {"resources": {"cpus": 0.5, "memory_mb": 30, "gpus": 2, "labels": ["ssd"]}}
case("resources.cpus", takes, sheet(1, "cpus"), 0.5)
case("resources.memory_mb", takes, sheet(1, "memory_mb"), 30)
case("resources.gpus", takes, sheet(1, "gpus"), 2)
case("resources.labels", takes, sheet(1, "labels"), ("ssd",))
walls = {"write": ["workspace"], "read": ["~/data"], "network": False, "tmp": "private"}
walls |= {"isolate": True, "when_missing": "best-effort"}
for name, value in walls.items():
    case(
        f"sandbox.{name}",
        {"sandbox": walls},
        lambda p, n=name: (p.sheet(1).sandbox or {}).get(n),
        value,
    )
bounds = {"high_memory_mb": 40, "max_processes": 9, "max_cpus": 1.5, "cpu_weight": 50}
bounds |= {"io_weight": 60, "best_effort": True}
case("limits.max_memory_mb", {"limits": {"max_memory_mb": 50}}, sheet(1, "max_memory_mb"), 50)
for name, value in bounds.items():
    case(
        f"limits.{name}",
        {"limits": bounds},
        lambda p, n=name: (p.sheet(1).limits or {}).get(n),
        value,
    )
for key, value, kept in (
    *((word, "some", "some") for word in ("partition", "account", "qos", "constraint")),
    *(("reservation", "some", "some"), ("gres", "gpu:2", "gpu:2"), ("time", "1-12", 129_600.0)),
    ("batch", False, False),
):
    case(f"slurm.{key}", {"slurm": {key: value}}, sheet(1, "slurm"), {key: kept})
case("executor", {"executor": "local"}, lambda p: p.executor, "local")
stale: dict[str, Any] = {"stale_detection": {"enabled": True}}
case("stale_detection.enabled", stale, sheet(1, "idle_timeout_seconds"), 300)
idle = {"stale_detection": {"idle_timeout_seconds": 9}}
case("stale_detection.idle_timeout_seconds", idle, sheet(1, "idle_timeout_seconds"), 9, stale)
check = {"stale_detection": {"check_interval_seconds": 5}}
case("stale_detection.check_interval_seconds", check, warning("check_interval_seconds"), True)
for key, value, result in (
    ("auto_capture_stdout", True, True),
    ("max_output_chars", 9, 9),
    ("lookback_sheets", 0, 0),
    ("capture_files", ["*.md"], ("*.md",)),
):
    case(f"cross_sheet.{key}", {"cross_sheet": {key: value}}, sheet(1, "cross_sheet", key), result)

# -- sections that other parts read, as they stand in the plan
for section, key, value in (
    ("workspace_lifecycle", "archive_on_fresh", True),
    ("workspace_lifecycle", "archive_dir", "old"),
    ("workspace_lifecycle", "archive_naming", "timestamp"),
    ("workspace_lifecycle", "max_archives", 3),
    ("workspace_lifecycle", "preserve_patterns", ["x"]),
    ("rate_limit", "wait_minutes", 5),
    ("rate_limit", "max_waits", 2),
    ("rate_limit", "max_quota_waits", 1),
    ("concert", "enabled", True),
    ("concert", "max_chain_depth", 2),
    ("concert", "cooldown_between_jobs_seconds", 1),
    ("concert", "inherit_workspace", False),
    ("concert", "concert_log_path", "log"),
    ("concert", "abort_concert_on_hook_failure", True),
    ("cost_limits", "max_cost_per_sheet", 2.5),
    ("cost_limits", "max_cost_per_job", 9.5),
    ("cost_limits", "cost_per_1k_input_tokens", 0.5),
    ("cost_limits", "cost_per_1k_output_tokens", 0.6),
    ("cost_limits", "warn_at_percent", 50),
):
    case(f"{section}.{key}", {section: {key: value}}, extra(section, key), value)
limited = {"cost_limits": {"max_cost_per_job": 1}}
case("cost_limits.enabled", {"cost_limits": {"enabled": False}}, extra("cost_limits", "enabled"),
     False, limited)  # fmt: skip
patterns = {"rate_limit": {"detection_patterns": ["slow"]}}
case("rate_limit.detection_patterns", patterns, warning("detection_patterns"), True)
for key, value in (
    ("type", "webhook"),
    ("on_events", ["job_start"]),
    ("config", {"url": "x"}),
):
    hook = {"type": "webhook", "config": {"url": "x"}, key: value}
    case(f"notifications.{key}", {"notifications": [hook]}, extra("notifications", 0, key), value)
for key, value in (
    ("type", "run_script"),
    ("job_path", "b.yaml"),
    ("job_workspace", "w"),
    ("command", "date"),
    ("working_directory", "/x"),
    ("description", "d"),
    ("on_failure", "abort"),
    ("timeout_seconds", 9),
    ("fresh", True),
    ("pause_before_chain", True),
):
    base = {"type": "run_command", "command": "true", key: value}
    case(f"on_success.{key}", {"on_success": [base]}, extra("on_success", 0, key), value)

then = {"type": "run_command", "command": "true"}
case("on_failure", {"on_failure": [then]}, extra("on_failure", 0, "command"), "true")
case("on_exit", {"on_exit": [then]}, extra("on_exit", 0, "command"), "true")
late = {"on_exit": [{**then, "after_cancel": True}]}
case("on_success.after_cancel", late, extra("on_exit", 0, "after_cancel"), True)

for key in INERT_HOOK:
    hook = {"type": "run_command", "command": "true", key: True}
    case(f"on_success.{key}", {"on_success": [hook]}, warning(f"on_success[0].{key}"), True)

# -- sheet
case("sheet.size", {"sheet": {"size": 2}}, sheet(1, "end_item"), 2)
case("sheet.total_items", {"sheet": {"total_items": 5}}, lambda p: len(p.sheets), 5)
case("sheet.start_item", {"sheet": {"start_item": 2}}, sheet(1, "start_item"), 2)
case("sheet.dependencies", {"sheet": {"dependencies": {1: [2]}}}, sheet(1, "needs"), (2,))
case("sheet.fan_out", {"sheet": {"fan_out": {1: 3}}}, sheet(1, "fan_count"), 3)
case("sheet.total_sheets", {"sheet": {"total_sheets": 9}}, warning("sheet.total_sheets"), True)
stage_map = {"sheet": {"fan_out_stage_map": {1: {"stage": 1}}}}
case("sheet.fan_out_stage_map", stage_map, warning("fan_out_stage_map"), True)
prelude = {"sheet": {"prelude": [{"file": "a.md", "as": "skill"}]}}
case("sheet.prelude", prelude, sheet(2, "injections", 0, "path"), "a.md")
cadenza = {"sheet": {"cadenzas": {2: [{"directory": "d"}]}}}
case("sheet.cadenzas", cadenza, sheet(2, "injections", 0, "path"), "d")
case("injection.file", prelude, sheet(1, "injections", 0, "directory"), False)
case("injection.directory", cadenza, sheet(2, "injections", 0, "directory"), True)
case("injection.as", prelude, sheet(1, "injections", 0, "kind"), "skill")
descriptions = {"sheet": {"descriptions": {2: "d"}}}
case("sheet.descriptions", descriptions, sheet(2, "description"), "d")
mapped = {"sheet": {"instrument_map": {"other": [2]}}}
case("sheet.instrument_map", mapped, sheet(2, "instrument", "profile"), "other")
single = {"sheet": {"per_sheet_instruments": {2: "other"}}}
case("sheet.per_sheet_instruments", single, sheet(2, "instrument", "profile"), "other")
settings = {"sheet": {"per_sheet_instrument_config": {2: {"model": "m"}}}}
case("sheet.per_sheet_instrument_config", settings, sheet(2, "instrument", "model"), "m")
own = {"sheet": {"per_sheet_fallbacks": {2: ["other"]}}}
case("sheet.per_sheet_fallbacks", own, sheet(2, "fallbacks", 0, "profile"), "other")
case("sheet.when", {"sheet": {"when": {2: "always"}}}, sheet(2, "when"), "always")
last = {"sheet": {"when": {2: "failed"}, "after_cancel": [2]}}
case("sheet.after_cancel", last, sheet(2, "after_cancel"), True)
case("sheet.skip_when", {"sheet": {"skip_when": {2: "true"}}}, sheet(2, "skip_when"), "true")
skip = {"command": "date", "timeout_seconds": 3, "description": "d"}
for key, value in skip.items():
    patch = {"sheet": {"skip_when_command": {2: skip}}}
    case(f"skip_when_command.{key}", patch, sheet(2, "skip_when_command", key), value)
case("sheet.skip_when_command", patch, sheet(2, "skip_when_command", "command"), "date")
for key in ("prompt_extensions", "spec_tags"):
    case(f"sheet.{key}", {"sheet": {key: {1: ["x"]}}}, warning(f"sheet.{key}"), True)

# -- movements and prompt
case("movements.name", {"movements": {2: {"name": "m"}}}, sheet(2, "name"), "m")
played = {"movements": {2: {"instrument": "other"}}}
case("movements.instrument", played, sheet(2, "instrument", "profile"), "other")
tuned = {"movements": {2: {"instrument_config": {"model": "m"}}}}
case("movements.instrument_config", tuned, sheet(2, "instrument", "model"), "m")
second = {"movements": {2: {"instrument_fallbacks": ["other"]}}}
case("movements.instrument_fallbacks", second, sheet(2, "fallbacks", 0, "profile"), "other")
case("movements.voices", {"movements": {2: {"voices": 3}}}, warning("voices"), True)
case("prompt.template", {"prompt": {"template": "x"}}, sheet(1, "prompt", "template"), "x")
named = {"prompt": {"variables": {"v": 1}, "template": "{{ v }}"}}
case("prompt.variables", named, sheet(1, "prompt", "variables"), {"v": 1})
for key in ("stakes", "thinking_method"):
    case(f"prompt.{key}", {"prompt": {key: "KEEP"}}, lambda p: "KEEP" in prompt()(p), True)
more = {"prompt": {"prompt_extensions": ["x"]}}
case("prompt.prompt_extensions", more, warning("prompt.prompt_extensions"), True)

# -- validations
file_rule = {"type": "file_exists", "path": "a"}
case("rule.type", {"validations": [file_rule]}, rule(), ["the file a exists"])
case("rule.path", {"validations": [{"path": "b"}]}, rule(), ["the file b exists"],
     {"validations": [file_rule]})  # fmt: skip
content = {"type": "content_contains", "path": "a", "pattern": "x"}
case("rule.pattern", {"validations": [content]}, rule(), ["the file a contains: x"])
command = {"type": "command_succeeds", "command": "date"}
case("rule.command", {"validations": [command]}, rule(), ["this command succeeds: date"])
for key, patch_value, result in (
    ("condition", "stage == 1", []),
    ("sheet", 1, []),
    ("description", "d", ["d: the file a exists"]),
):
    case(f"rule.{key}", {"validations": [{key: patch_value}]}, rule(), result,
         {"validations": [file_rule]})  # fmt: skip
for key, number in (
    ("stage", 4),
    ("retry_count", 9),
    ("retry_delay_ms", 7),
    ("timeout_seconds", 3),
    ("working_directory", "/x"),
):
    case(f"rule.{key}", {"validations": [{key: number}]}, sheet(2, "validations", 0, key), number,
         {"validations": [file_rule]})  # fmt: skip

# -- backend, the legacy section
LEGACY = {"instrument": None, "backend": {"type": "agent"}}
case("backend.type", {"backend": {"type": "other"}}, sheet(1, "instrument", "profile"), "other",
     LEGACY)  # fmt: skip
for key, value, reader, result in (
    ("timeout_seconds", 9, sheet(2, "timeout_seconds"), 9),
    ("timeout_overrides", {2: 8}, sheet(2, "timeout_seconds"), 8),
    ("sheet_overrides", {2: {"timeout_seconds": 6}}, sheet(2, "timeout_seconds"), 6),
    ("skip_permissions", False, argv(), "true --no-mcp"),
    ("disable_mcp", False, argv(), "true --yes"),
    ("allowed_tools", ["a"], argv(), "true --yes --tools a --no-mcp"),
    ("system_prompt_file", "s", argv(), "true --yes --system s --no-mcp"),
    ("cli_extra_args", ["-x"], argv(), "true --yes --no-mcp -x"),
    ("working_directory", "/x", sheet(1, "instrument", "config"), {"working_directory": "/x"}),
    ("cli_model", "m", sheet(1, "instrument", "model"), "m"),
    ("model", "m", sheet(1, "instrument", "model"), "m"),
):
    case(f"backend.{key}", {"backend": {key: value}}, reader, result, LEGACY)
for key, value in (
    ("timeout_seconds", 6),
    ("cli_model", "m"),
    ("model", "m"),
):
    reader = sheet(2, "timeout_seconds") if "time" in key else sheet(2, "instrument", "model")
    patch = {"backend": {"sheet_overrides": {2: {key: value}}}}
    case(f"backend.sheet_overrides.{key}", patch, reader, value, LEGACY)
for key, value in (("temperature", 0.5), ("max_tokens", 9)):
    patch = {"backend": {"sheet_overrides": {2: {key: value}}}}
    case(f"backend.sheet_overrides.{key}", patch, warning(f"[2].{key}"), True, LEGACY)
for key in sorted(INERT_BACKEND):
    odd: Any = {"output_format": "json", "api_key_env": "K", "temperature": 0.1}.get(key, 5)
    odd = {} if key in {"ollama", "recursive_light"} else odd
    case(f"backend.{key}", {"backend": {key: odd}}, warning(f"backend.{key}"), True, LEGACY)

# -- accepted, no effect
for key in INERT:
    given: Any = {"state_backend": "json", "state_path": "x"}.get(key, {})
    case(key, {key: given}, warning(f"{key}: accepted, no effect"), True)

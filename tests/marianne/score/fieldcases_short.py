"""The cases of what only the short form has."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fieldcases import SHORT, Table, env_of, folder_of, prompt, rule, sheet

from marianne.model.plan import Plan
from marianne.score.prompt import render_prompt
from marianne.score.surroundings import sheet_files

case = Table(SHORT)
UNWALLED = {"read": None, "tmp": "shared", "isolate": False, "when_missing": None}


def first(**fields: Any) -> dict[str, Any]:
    """A patch of the first sheet, a script."""
    return {"sheets": [fields]}


def second(**fields: Any) -> dict[str, Any]:
    """A patch of the second sheet, a prompt."""
    return {"sheets": [{}, fields]}


def made_by(num: int) -> Callable[[Plan], Any]:
    """How the sheet makes its list, and of what."""
    return lambda plan: (
        (plan.lists[num].kind, render_prompt(plan, plan.sheet(num))) if plan.lists else None
    )


case("sheets.name", first(name="z"), sheet(1, "name"), "z")
case("sheets.needs", second(needs=["a"]), sheet(2, "needs"), (1,))
case("sheets.run", first(run="date"), prompt(1), "date")
case("sheets.prompt", second(prompt="KEEP"), lambda p: "KEEP" in prompt()(p), True)
case("sheets.instrument", second(instrument="other"), sheet(2, "instrument", "profile"), "other")
case("sheets.model", second(model="m"), sheet(2, "instrument", "model"), "m")
tuned = second(instrument_config={"model": "m"})
case("sheets.instrument_config", tuned, sheet(2, "instrument", "model"), "m")
case("sheets.fallbacks", second(fallbacks=["other"]), sheet(2, "fallbacks", 0, "profile"), "other")
named = first(run="{{ v }}", variables={"v": 1})
case("sheets.variables", named, prompt(1), "1")
case("sheets.fan_out", first(fan_out=3), lambda p: len(p.sheets), 4)
case("sheets.each", first(each=["x", "y"], run="{{ item }}"), prompt(2), "y")
case("sheets.each.glob", first(each={"glob": "*.x"}), made_by(1), ("glob", "*.x"))
case("sheets.each.command", first(each={"command": "ls"}), made_by(1), ("command", "ls"))
case("sheets.each.json", first(each={"json": "l.json"}), made_by(1), ("json", "l.json"))
many = first(each={"json": "l.json", "max_items": 7})
case("sheets.each.max_items", many, lambda p: p.lists[1].max_items if p.lists else None, 7)
quick = first(each={"json": "l.json", "timeout": "5s"})
case("sheets.each.timeout", quick, sheet(1, "timeout_seconds"), 5)
over = first(matrix={"os": ["linux", "mac"], "v": [1, 2]}, run="{{ os }} {{ v }}")
case("sheets.matrix", over, prompt(2), "linux 2")
more = first(matrix={"os": ["linux"], "include": [{"os": "linux", "v": 7}]}, run="{{ v }}")
case("sheets.matrix.include", more, prompt(1), "7")
less = first(matrix={"os": ["linux", "mac", "bsd"], "exclude": [{"os": "mac"}]})
case("sheets.matrix.exclude", less, lambda p: len(p.sheets), 3)
case("sheets.retry", first(retry={"max_retries": 4}), sheet(1, "retry", "max_retries"), 4)
case("sheets.timeout", first(timeout="1m30s"), sheet(1, "timeout_seconds"), 90)
case("sheets.idle_timeout", first(idle_timeout="5s"), sheet(1, "idle_timeout_seconds"), 5)
case("sheets.max_memory_mb", first(max_memory_mb=64), sheet(1, "max_memory_mb"), 64)
case("sheets.cpus", first(cpus=2.5), sheet(1, "cpus"), 2.5)
own = {"resources": {"gpus": 1, "memory_mb": 5}, **first(resources={"gpus": 3})}
walled = {"sandbox": {"network": False}, **first(sandbox={"write": ["out"], "network": True})}
kept_from = {**UNWALLED, "network": False, "write": ["out"]}
case("sheets.sandbox", walled, sheet(1, "sandbox"), kept_from)
mixed = {"limits": {"max_cpus": 1, "max_memory_mb": 5}}
mixed |= first(limits={"max_cpus": 3, "max_processes": 4}, max_memory_mb=6)
limits = {"max_cpus": 3.0, "max_processes": 4}
kept = (limits, 6)
case("sheets.limits", mixed, lambda p: (p.sheet(1).limits, p.sheet(1).max_memory_mb), kept)
mine = {"slurm": {"partition": "long", "qos": "low"}, **first(slurm={"partition": "short"})}
case("sheets.slurm", mine, sheet(1, "slurm"), {"partition": "short", "qos": "low"})
case("sheets.resources", own, lambda p: (p.sheet(1).gpus, p.sheet(1).memory_mb), (3, 5))
case("sheets.executor", first(executor="local"), sheet(1, "executor"), "local")
case("sheets.validate", first(validate=[{"file_exists": "f"}]), rule(1), ["the file f exists"])
crossed = second(cross_sheet={"auto_capture_stdout": True})
case("sheets.cross_sheet", crossed, sheet(2, "cross_sheet", "auto_capture_stdout"), True)
case("sheets.inject", second(inject=[{"file": "f"}]), sheet(2, "injections", 0, "path"), "f")
case("sheets.skip_when", second(skip_when="true"), sheet(2, "skip_when"), "true")
skipped = first(skip_when_command={"command": "date"})
case("sheets.skip_when_command", skipped, sheet(1, "skip_when_command", "command"), "date")
case("sheets.env", first(env={"N": "{{ sheet_num }}"}), env_of(1), {"N": "1"})
case("sheets.cwd", first(cwd="sub/{{ sheet_name }}"), folder_of(1), "/nowhere/workspace/sub/a")
case("env", {"env": {"N": 7}, **first(env={"M": "m"})}, env_of(1), {"N": "7", "M": "m"})
case("cwd", {"cwd": "../up"}, folder_of(2), "/nowhere/up")
made = first(inputs=["in/*.csv"], outputs=["{{ sheet_name }}.txt"])
case("sheets.inputs", made, lambda p: sheet_files(p, p.sheet(1))[0], ["in/*.csv"])
case("sheets.outputs", made, lambda p: sheet_files(p, p.sheet(1))[1], ["a.txt"])
case("sheets.when", second(when="always"), sheet(2, "needs"), (1,))
last = second(when="failed", after_cancel=True)
case("sheets.after_cancel", last, sheet(2, "after_cancel"), True)
case("sheets.description", first(description="d"), sheet(1, "description"), "d")


def param(name: str) -> Callable[[Plan], Any]:
    """What is shown of the parameter ``n``."""
    return lambda plan: plan.params.get("n", {}).get(name)


case("params.type", {"params": {"n": {"type": "int", "default": 3}}}, param("type"), "int")
case("params.default", {"params": {"n": {"type": "int", "default": 3}}}, param("value"), 3)
optional = {"params": {"n": {"type": "int", "required": False}}}
case("params.required", optional, param("required"), False)
described = {"params": {"n": {"type": "int", "default": 3, "description": "how many"}}}
case("params.description", described, param("description"), "how many")
at_top = {"variables": {"v": 1}, "sheets": [{"run": "{{ v }}"}]}
case("variables", at_top, prompt(1), "1")
case("timeout", {"timeout": 7}, sheet(1, "timeout_seconds"), 7)
case("inject", {"inject": [{"file": "f"}]}, sheet(2, "injections", 0, "path"), "f")

"""Executors and their nodes, for people."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from marianne.cli.render.out import clean, paint, say
from marianne.cli.render.table import Cell, print_table

if TYPE_CHECKING:
    from marianne.replies.executors import ClusterNode, Executor

_STYLES = {"up": "green", "away": "yellow", "drained": "dim", "unfit": "red"}


def print_executors(executors: Sequence[Executor], *, check: bool) -> None:
    """A line an executor, a row a node; with ``check`` what each did."""
    for one in executors:
        used = "" if one["used"] else paint(" (not used)", "dim")
        where = f" at {clean(one['address'])}" if one["address"] else ""
        say(f"{paint(clean(one['name']), 'bold')} ({one['kind']}{where}){used}")
        if one["why"] is not None:
            say(f"  {paint('not reached', 'red')}: {clean(one['why'])}")
        if one["slots"] is not None:
            taken = f"{one['taken']:g} of {one['slots']} slots taken"
            say(f"  {taken}, lease {one['lease_seconds']:g} s")
        if one["nodes"]:
            _print_nodes(one["nodes"], check=check)


def _print_nodes(nodes: Sequence[ClusterNode], *, check: bool) -> None:
    rows: list[Sequence[Cell | str | int | None]] = [
        (
            clean(node["name"]),
            Cell(node["state"], (_STYLES[node["state"]],)),
            f"{node['taken']:g}/{node['slots']}",
            clean(node["host"] or ""),
            clean(node["version"] or ""),
            f"{node['skew_seconds']:+.1f} s" if node["skew_seconds"] is not None else "",
            *([_checked(node)] if check else []),
            _note(node),
        )
        for node in nodes
    ]
    more = ["CHECK"] if check else []
    headings = ("NODE", "STATE", "SLOTS", "HOST", "VERSION", "CLOCK", *more, "NOTE")
    print_table(headings, rows, right=(2,), indent="  ")


def _checked(node: ClusterNode) -> Cell:
    found = node["checked"]
    if found is None:
        return Cell("not asked", ("dim",))
    return (
        Cell(f"ok, {found['seconds']:.2f} s", ("green",)) if found["ok"] else Cell("no", ("red",))
    )


def _note(node: ClusterNode) -> str:
    words = [node["why"]] if node["why"] else []
    if node["lease_left_seconds"] is not None and node["lease_left_seconds"] > 0:
        words.append(f"what it ran has ended in {node['lease_left_seconds']:g} s at the latest")
    if node["checked"] is not None and node["checked"]["why"]:
        words.append(node["checked"]["why"])
    if node["jobs"]:
        words.append(f"jobs {', '.join(node['jobs'][:3])}{' …' if len(node['jobs']) > 3 else ''}")
    return clean("; ".join(words))

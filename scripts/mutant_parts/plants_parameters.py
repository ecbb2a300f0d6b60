"""scripts/mutants parameters [--only WORD] [--list]: each documented parameter, ignored.

The parameters are those with a default in tests/marianne/daemon/documented_api.txt. An ignored one
has its default whatever was given. Asked are the tests of its class, then programs that embed a
conductor.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator

from mutant_frame import ROOT, Plant, main, pytest
from plants_daemon import API, CHECKS, E2E, FIGURES, SOUND, WHOLE, file_of, member_of

GIVEN = pytest(f"{E2E}/test_embedding_parameters.py")


def parameters() -> Iterator[tuple[str, str, str, str]]:
    """Module, class, method and name of each documented parameter that has a default."""
    module = cls = ""
    for line in API.read_text().splitlines():
        if not line.startswith("  "):
            module, _, cls = line.partition(".") if line else ("", "", "")
        elif "(" in line and not line.strip().startswith(("field ", "property ")):
            head = line.strip().removeprefix("async ")
            [function] = ast.parse(f"def {head}: ...").body
            assert isinstance(function, ast.FunctionDef)
            told = function.args
            plain = told.args[len(told.args) - len(told.defaults) :]
            named = [a for a, d in zip(told.kwonlyargs, told.kw_defaults, strict=True) if d]
            for argument in (*plain, *named):
                yield module, cls, function.name, argument.arg


def ignored(module: str, cls: str, method: str, name: str) -> Plant:
    """The member with the parameter's default in its place."""
    file = file_of(module, cls)
    text = (ROOT / file).read_text()
    member = member_of(text, cls, method)
    assert member is not None, f"{cls}.{method}"
    lines = text.splitlines(keepends=True)
    first = member.body[1] if ast.get_docstring(member) else member.body[0]
    old = "".join(lines[member.lineno - 1 : member.end_lineno])
    head = "".join(lines[member.lineno - 1 : first.lineno - 1])
    rest = "".join(lines[first.lineno - 1 : member.end_lineno])
    new = f"{head}        {name} = {_default(member, name)}\n{rest}"
    plant = f"{cls}.{method}({name})"
    return Plant(plant, file, old, new, (*CHECKS[cls], GIVEN, FIGURES, WHOLE))


def _default(member: ast.FunctionDef | ast.AsyncFunctionDef, name: str) -> str:
    live = member.args
    plain = zip(live.args[len(live.args) - len(live.defaults) :], live.defaults, strict=True)
    named = zip(live.kwonlyargs, live.kw_defaults, strict=True)
    return next(ast.unparse(d) for a, d in (*plain, *named) if a.arg == name and d is not None)


PLANTS = [
    ignored(module, cls, method, name)
    for module, cls, method, name in parameters()
    if cls not in SOUND
]

if __name__ == "__main__":
    sys.exit(main(PLANTS, sys.argv[1:], __doc__ or ""))

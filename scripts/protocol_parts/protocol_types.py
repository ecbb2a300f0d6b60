"""TypedDicts as tables, read from their source: there the aliases and the descriptions stand."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Field:
    """A key of a map. ``kind`` is its annotation."""

    name: str
    kind: ast.expr
    meaning: str


@dataclass(frozen=True)
class Shape:
    """A TypedDict: what it says of itself, those whose keys it has too, its own keys."""

    name: str
    meaning: str
    bases: list[str]
    fields: list[Field]


def words(text: str | None) -> str:
    """A docstring as one line of markdown."""
    return " ".join((text or "").split()).replace("``", "`").rstrip(".")


class Types:
    """All of them, by name."""

    def __init__(self, shapes: dict[str, Shape], aliases: dict[str, ast.expr]) -> None:
        self.shapes = shapes
        self.aliases = aliases

    @classmethod
    def read(cls, files: Iterable[Path]) -> Types:
        """From the sources."""
        nodes = [node for file in files for node in ast.parse(file.read_text()).body]
        aliases = {
            ast.unparse(node.target): node.value
            for node in nodes
            if isinstance(node, ast.AnnAssign) and node.value is not None
        }
        classes = {node.name: node for node in nodes if isinstance(node, ast.ClassDef)}
        shapes = {name: _shape(node) for name, node in classes.items() if _is_typed(node, classes)}
        return cls(shapes, aliases)

    def table(self, name: str) -> str:
        """A heading that can be linked to, what it is, its keys."""
        shape = self.shapes[name]
        also = " and ".join(f"[{base}](#{base.lower()})" for base in shape.bases)
        lines = [f"#### {name}", "", f"{shape.meaning}." + (f" As {also}, and:" if also else "")]
        if shape.fields:
            lines += ["", "| field | type | meaning |", "|---|---|---|"]
        for field in shape.fields:
            kind, sometimes = field.kind, ""
            if _called(kind) == "NotRequired":
                assert isinstance(kind, ast.Subscript)
                kind, sometimes = kind.slice, " (may be missing)"
            lines.append(f"| `{field.name}` | {self._kind(kind)}{sometimes} | {field.meaning} |")
        return "\n".join(lines)

    def linked(self, annotation: str) -> str:
        """An annotation in words, its types with links to their tables."""
        return self._kind(ast.parse(annotation, mode="eval").body)

    def _kind(self, kind: ast.expr) -> str:
        match kind:
            case ast.BinOp(left=left, right=right):
                return f"{self._kind(left)} or {self._kind(right)}"
            case ast.Constant(value=None):
                return "nil"
            case ast.Name(id=name) if name in self.shapes:
                return f"[{name}](#{name.lower()})"
            case ast.Name(id="Time"):
                return "time"
            case ast.Name(id=name) if name in self.aliases:
                return self._kind(self.aliases[name])
            case ast.Name(id=name):
                return {"E": "what came of it", "Any": "anything"}.get(name, name)
            case ast.Subscript(value=ast.Name(id=outer), slice=inner):
                return self._generic(outer, inner)
        raise ValueError(f"no words for {ast.unparse(kind)}")

    def _generic(self, outer: str, inner: ast.expr) -> str:
        parts = inner.elts if isinstance(inner, ast.Tuple) else [inner]
        if outer == "Literal":
            return " or ".join(f"`{_literal(ast.literal_eval(part))}`" for part in parts)
        of = self._kind(parts[-1])
        if outer == "list":
            return f"list of {of}"
        if outer == "dict":
            return "map" if of == "anything" else f"map of {of}"
        return f"[{outer}](#{outer.lower()}) of {of}"


def _literal(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _called(kind: ast.expr) -> str:
    return ast.unparse(kind.value) if isinstance(kind, ast.Subscript) else ""


def _is_typed(node: ast.ClassDef, classes: dict[str, ast.ClassDef]) -> bool:
    bases = [ast.unparse(base) for base in node.bases]
    return "TypedDict" in bases or any(
        base in classes and _is_typed(classes[base], classes) for base in bases
    )


def _shape(node: ast.ClassDef) -> Shape:
    bases = [ast.unparse(base) for base in node.bases]
    bases = [base for base in bases if base.isidentifier() and base != "TypedDict"]
    fields: list[Field] = []
    for part in node.body[1:]:
        if isinstance(part, ast.AnnAssign):
            fields.append(Field(ast.unparse(part.target), part.annotation, ""))
        elif isinstance(part, ast.Expr) and isinstance(part.value, ast.Constant):
            last = fields.pop()
            fields.append(Field(last.name, last.kind, words(str(part.value.value))))
    return Shape(node.name, words(ast.get_docstring(node)), bases, fields)

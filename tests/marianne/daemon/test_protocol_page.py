"""docs/protocol.md says what each method takes and answers, as handlers and types say it."""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path

import pytest

from marianne.daemon.api import handlers

ROOT = Path(__file__).parents[3]
sys.path.insert(0, str(ROOT / "scripts" / "protocol_parts"))

from protocol_page import ASK, HIDDEN, PAGE, SOURCES, ask, page, reply_of, shown  # noqa: E402
from protocol_types import Types  # noqa: E402

SOURCE = '''
class Base(TypedDict):
    """What both have."""

    num: int
    """1-based, of ``all``"""

class Whole(Base):
    """A
    whole."""

    parts: NotRequired[list[Base | None]]
    by_name: dict[str, Any]
    word: Word
    ended_at: Time | None

Word: TypeAlias = Literal["a", True]
'''


def test_the_tables_are_what_the_types_say() -> None:
    text = PAGE.read_text()
    assert page(text) == text, "write them anew: scripts/protocol-tables"


def test_each_type_has_one_table() -> None:
    hidden = {reply_of(name) for name in HIDDEN}
    assert sorted(shown(PAGE.read_text())) == sorted(Types.read(SOURCES).shapes.keys() - hidden)


def test_every_link_leads_to_a_heading() -> None:
    text = PAGE.read_text()
    headings = {line.strip("# ").lower() for line in text.splitlines() if line.startswith("#")}
    assert set(re.findall(r"\]\(#(\w+)\)", text)) <= headings


@pytest.mark.parametrize("method", handlers.METHODS)
def test_what_a_method_answers_is_a_type_with_names_for_its_fields(method: str) -> None:
    named = {part.id for part in ast.walk(ast.parse(reply_of(method))) if type(part) is ast.Name}
    assert named - {"list"} <= Types.read(SOURCES).shapes.keys()


def test_who_asks_is_promised_what_the_handler_answers() -> None:
    text = ASK.read_text()
    assert ask(text) == text, "write it anew: scripts/protocol-tables"
    assert text.count("@overload") == len(set(handlers.METHODS) - HIDDEN)


def test_a_type_becomes_a_table_of_its_keys(tmp_path: Path) -> None:
    source = tmp_path / "types.py"
    source.write_text(SOURCE)
    types = Types.read([source])
    assert types.table("Base").splitlines()[-1] == "| `num` | int | 1-based, of `all` |"
    assert types.table("Whole").splitlines() == [
        "#### Whole",
        "",
        "A whole. As [Base](#base), and:",
        "",
        "| field | type | meaning |",
        "|---|---|---|",
        "| `parts` | list of [Base](#base) or nil (may be missing) |  |",
        "| `by_name` | map |  |",
        "| `word` | `a` or `true` |  |",
        "| `ended_at` | time or nil |  |",
    ]


def test_a_type_that_there_are_no_words_for_is_told() -> None:
    with pytest.raises(ValueError, match="no words for 1"):
        Types({}, {}).linked("1")

"""What holds for every score, template and graph, not only for those one thinks of."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import jinja2
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from marianne.instruments.registry import Registry
from marianne.score import ScoreError, load_plan, pack_plan, unpack_plan
from marianne.score.graph import Stage, count_edges, expand, find_cycle
from marianne.score.models_reference import ReferenceScore
from marianne.score.models_short import ShortScore
from marianne.score.sandbox import Sandbox
from marianne.score.template import TemplateError, render, shell_quoted

REGISTRY = Registry.load()

pieces = st.sampled_from(
    [
        "{{ a }}",
        "{{b}}",
        "{{  a  }}",
        "{{ a | q }}",
        "{{b|q}}",
        "{",
        "}",
        "}}",
        "{ {",
        "text",
        "\n",
        "\r\n",
        "$",
        "{a}",
        "#}",
    ]
)


@given(st.lists(pieces, max_size=12).map("".join), st.text(max_size=5), st.integers())
def test_simple_templates_render_as_jinja_renders_them(text: str, a: str, b: int) -> None:
    names = {"a": a, "b": b}
    assert _or_none(lambda: render(text, names)) == _or_none(
        lambda: Sandbox(filters={"q": shell_quoted}).from_string(text).render(names)
    )


def _or_none(step: Callable[[], str]) -> str | None:
    try:
        return step()
    except (TemplateError, jinja2.TemplateError):
        return None


@given(st.text(alphabet="{}%# \nabc.()[]'", max_size=30), st.booleans())
def test_a_template_gives_text_or_a_template_error(text: str, script: bool) -> None:
    try:
        rendered = render(text, {"a": 1}, script=script)
    except TemplateError as error:
        rendered = error.message
    assert isinstance(rendered, str)


@st.composite
def stages(draw: Any) -> list[Stage]:
    count = draw(st.integers(1, 8))
    made = []
    for num in range(1, count + 1):
        needs = draw(st.sets(st.integers(1, num - 1))) if num > 1 else set()
        made.append(Stage(num, tuple(sorted(needs)), draw(st.integers(1, 5))))
    return made


@given(stages())
def test_expansion_keeps_every_dependency(made: list[Stage]) -> None:
    cells = expand(made)
    assert [cell.num for cell in cells] == list(range(1, len(cells) + 1))
    assert sum(len(cell.needs) for cell in cells) == count_edges(made)
    by_num = {cell.num: cell for cell in cells}
    counts = {stage.num: stage.count for stage in made}
    for cell in cells:
        assert list(cell.needs) == sorted(set(cell.needs))
        sources = [by_num[need] for need in cell.needs]
        for need in made[cell.stage - 1].needs:
            instances = [source.instance for source in sources if source.stage == need]
            if counts[need] == counts[cell.stage]:
                assert instances == [cell.instance]
            else:
                assert instances == list(range(1, counts[need] + 1))


@given(st.dictionaries(st.integers(1, 7), st.lists(st.integers(1, 7), max_size=4, unique=True)))
def test_a_cycle_is_found_exactly_when_there_is_one(needs: dict[int, list[int]]) -> None:
    cycle = find_cycle(needs)
    done: set[int] = set()
    nodes = set(needs) | {target for targets in needs.values() for target in targets}
    while True:
        free = {node for node in nodes - done if set(needs.get(node, ())) <= done}
        if not free:
            break
        done |= free
    assert (cycle is None) == (done == nodes)
    if cycle is not None:
        assert cycle[0] == cycle[-1]
        for node, target in itertools.pairwise(cycle):
            assert target in needs[node]


@pytest.mark.slow
def test_a_very_long_chain_has_no_cycle_and_no_recursion() -> None:
    needs = {n: [n - 1] for n in range(2, 100_000)}
    assert find_cycle(needs) is None
    assert find_cycle({**needs, 1: [99_999]}) is not None


scalars = st.one_of(
    st.none(), st.booleans(), st.integers(-5, 5), st.text(alphabet="ab {%}:'#", max_size=6)
)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from(["name", "run", "file_exists", "x"]), inner, max_size=3),
    ),
    max_leaves=6,
)
keys = st.sampled_from(sorted({*ReferenceScore.model_fields, *ShortScore.model_fields, "nonsense"}))


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.dictionaries(keys, values, max_size=6))
def test_any_data_is_a_plan_or_a_score_error(score: dict[str, Any]) -> None:
    try:
        plan = load_plan(
            None,
            yaml.safe_dump(score),
            base_dir="/nowhere",
            workspace=None,
            variables={},
            instruments=REGISTRY,
        )
    except ScoreError:
        return
    assert unpack_plan(pack_plan(plan)) == plan

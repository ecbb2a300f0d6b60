"""One configuration out of several sources: the last that says a thing is the one that is heard."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from marianne.daemon.config import file
from marianne.daemon.config.file import Layer
from marianne.daemon.shared.exceptions import ConfigError
from marianne.model.document import Document


def written(text: str) -> Layer:
    document = Document(text, "conductor.yaml")
    return Layer("file", document.data, document)


def problem(*layers: Layer) -> str:
    with pytest.raises(ConfigError) as caught:
        file.merge(layers)
    return str(caught.value)


def test_a_later_layer_wins_and_what_it_leaves_out_stays() -> None:
    layers = (
        written("max_concurrent_jobs: 2\nresource_limits: {max_memory_mb: 600, max_processes: 9}"),
        Layer("env", {"resource_limits.max_memory_mb": "700"}),
        Layer("flag", {"max_concurrent_jobs": 3}),
    )
    config, setters = file.merge(layers)
    assert config.max_concurrent_jobs == 3
    assert config.resource_limits.max_memory_mb == 700
    assert config.resource_limits.max_processes == 9
    origins = {
        name: file.origin(name, setters)
        for name in ("max_concurrent_jobs", "resource_limits.max_memory_mb", "log_level")
    }
    assert list(origins.values()) == ["flag", "env", "default"]


@pytest.mark.parametrize(
    ("layer", "said"),
    [
        (written("max_concurrent_jobs: many"), "conductor.yaml:1"),
        (Layer("env", {"max_concurrent_jobs": "many"}), "MARIANNE_MAX_CONCURRENT_JOBS"),
        (Layer("flag", {"max_concurrent_jobs": "many"}), "flag"),
        (written("a: 1\nmax_concurent_jobs: 1"), "max_concurrent_jobs"),
        (written("max_memory_mb: 100"), "'max_memory_mb' belongs in 'resource_limits'"),
        (written("max_concurrent_jobs: 0"), "from 1"),
        (written("max_concurrent_jobs:"), "give a value or remove the key"),
        (written("resource_limits: 5"), "must be a map of settings"),
        (written("log_level: loud"), "must be"),
        (written("socket: {permissions: 600}"), "write 0o600, it is octal"),
    ],
)
def test_what_does_not_fit_is_named_where_it_was_set_with_what_to_do(
    layer: Layer, said: str
) -> None:
    assert said in problem(layer)


def test_all_that_is_wrong_is_said_at_once() -> None:
    text = problem(written("max_concurrent_jobs: many\nlog_level: loud\nwhat: 1"))
    assert [f":{line}:" in text for line in (1, 2, 3)] == [True] * 3


def test_a_value_in_the_place_of_a_section_is_told_though_a_later_source_sets_in_it() -> None:
    layers = written("resource_limits: 5"), Layer("env", {"resource_limits.max_memory_mb": "1"})
    assert "must be a map of settings" in problem(*layers)


def test_a_section_whose_settings_are_all_commented_out_changes_nothing() -> None:
    config, _ = file.merge([written("resource_limits:\nmax_concurrent_jobs: 4")])
    assert config.max_concurrent_jobs == 4


@pytest.mark.parametrize("text", ["", "\n# nothing yet\n", "---\n"])
def test_a_file_without_a_setting_is_one(tmp_path: Path, text: str) -> None:
    place = tmp_path / "conductor.yaml"
    place.write_text(text)
    assert file.read(place) == Layer("file", {})


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"- a\n", "must be a map of settings"),
        (b"\xff\xfe\xfa", "is not written in UTF-8"),
        (b"x" * (file.MAX_BYTES + 1), "larger than"),
        (b"a: [1\n", "conductor.yaml:"),
    ],
)
def test_a_file_that_is_none_of_settings_is_said(tmp_path: Path, content: bytes, said: str) -> None:
    place = tmp_path / "conductor.yaml"
    place.write_bytes(content)
    with pytest.raises(ConfigError, match=said):
        file.read(place)


@pytest.mark.parametrize("make", [lambda place: None, Path.mkdir])
def test_a_file_that_cannot_be_read_is_said_with_what_to_do(tmp_path: Path, make: Any) -> None:
    make(tmp_path / "conductor.yaml")
    with pytest.raises(ConfigError, match="run on the defaults"):
        file.read(tmp_path / "conductor.yaml")


def test_a_profile_is_found_by_its_name_or_those_that_there_are_are_named() -> None:
    profiles = {"small": {"max_concurrent_jobs": 1}, "large": {}}
    assert file.profile("small", profiles) == {"max_concurrent_jobs": 1}
    with pytest.raises(ConfigError, match="there are large, small") as caught:
        file.profile("smal", profiles)
    assert "small" in str(caught.value.problems[0].hint)


def test_what_changes_nothing_is_noted_with_its_line_unless_a_profile_says_it() -> None:
    layer = written("max_concurrent_jobs: 1\nsocket: {backlog: 5, permissions: 0o600}\n")
    (note,) = file.notes(*file.merge([layer]))
    assert note.startswith("conductor.yaml:2: socket.backlog: accepted, no effect (")
    quiet = Layer("profile", {"socket": {"backlog": 5}})
    assert file.notes(*file.merge([quiet])) == ()

"""``--param-file``: a map of values, each taken as it is written."""

from __future__ import annotations

from pathlib import Path

import pytest

from marianne.cli.errors import CliError
from marianne.cli.param_file import read_param_file
from marianne.cli.variables import parse_variables


def read(tmp_path: Path, text: str) -> dict[str, str]:
    path = tmp_path / "params.yaml"
    path.write_text(text)
    return read_param_file(str(path))


@pytest.mark.parametrize(
    "text",
    [
        'n: 3\nversion: 1.10\ndry: true\nlabel: "null"\n',
        '{\n\t"n": 3,\n\t"version": 1.10, "dry": true, "label": "null"}',
        "{n: 3, version: 1.10, dry: true, label: 'null'}",
    ],
)
def test_values_are_what_is_written_in_yaml_and_in_json(tmp_path: Path, text: str) -> None:
    found = read(tmp_path, text)
    assert found == {"n": "3", "version": "1.10", "dry": "true", "label": "null"}


def test_an_empty_file_says_nothing(tmp_path: Path) -> None:
    assert read(tmp_path, "# nothing\n") == {}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("n: 1\nm: [1, 2]\n", ":2: 'm' has no value, or one that is a list or a map"),
        ("n:\n", ":1: 'n' has no value"),
        ("n: ~\n", ":1: 'n' has no value"),
        ('{"n": null}', ": 'n' has no value"),
        ('{"n": {"a": 1}}', ": 'n' has no value"),
        ("n: 1\nn: 2\n", ":2: 'n' stands twice"),
        ('{"n": 1, "n": 2}', ": 'n' stands twice"),
        ("a-b: 1\n", ":1: 'a-b' is no name of a variable"),
        ("- a\n", ":1: is no map of names and values"),
        ("n: [1\n", ":1: 'n' has no value, or one that is a list"),
        ("[" * 100_000, ":1: is no map of names and values"),
        ("n: 'a\n", ":2: found unexpected end of stream"),
    ],
)
def test_what_is_no_map_of_values_is_told_with_its_line(
    tmp_path: Path, text: str, said: str
) -> None:
    with pytest.raises(CliError) as caught:
        read(tmp_path, text)
    assert caught.value.code == "usage"
    assert f"params.yaml{said}" in caught.value.message


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(CliError, match="cannot be read: No such file"):
        read_param_file(str(tmp_path / "none"))
    with pytest.raises(CliError, match="cannot be read: Is a directory"):
        read_param_file(str(tmp_path))
    (tmp_path / "latin").write_bytes(b"n: \xe9\n")
    with pytest.raises(CliError, match="is not UTF-8"):
        read_param_file(str(tmp_path / "latin"))


def test_a_later_file_wins_and_var_over_all(tmp_path: Path) -> None:
    for name, text in (("a", "n: 1\nm: 1\nk: 1"), ("b", "n: 2\nm: 2")):
        (tmp_path / name).write_text(text)
    files = (str(tmp_path / "a"), str(tmp_path / "b"))
    assert parse_variables(("n=3",), files) == {"n": "3", "m": "2", "k": "1"}


SCORE = "name: wc\nparams: {n: int, mode: [a, b]}\nsheets: [{name: s, run: 'echo {{ n + 1 }}'}]\n"
ACCEPTED = {"job_id": "wc", "status": "accepted", "message": "", "warnings": []}
CHANGED = {"name": "wc", "paused": False, "next_slot": None}


@pytest.mark.parametrize(
    ("verb", "method"),
    [
        (("run",), "job.submit"),
        (("schedule", "add", "--cron", "@daily"), "schedule.add"),
    ],
)
def test_what_a_file_gives_goes_with_the_request(
    marianne, conductor, tmp_path: Path, verb: tuple[str, ...], method: str
) -> None:
    (tmp_path / "wc.yaml").write_text(SCORE)
    (tmp_path / "params.yaml").write_text("n: 1\nmode: a\n")
    conductor.answers |= {"job.submit": ACCEPTED, "schedule.add": CHANGED}
    given = ("--param-file", str(tmp_path / "params.yaml"), "--var", "n=2")
    done = marianne(*verb, str(tmp_path / "wc.yaml"), *given)
    assert done.code == 0, done
    assert conductor.params(method)["variables"] == {"n": "2", "mode": "a"}


def test_validate_checks_what_a_file_gives(marianne, tmp_path: Path) -> None:
    (tmp_path / "wc.yaml").write_text(SCORE)
    (tmp_path / "params.json").write_text('{"n": "many", "mode": "a"}')
    done = marianne(
        "validate", str(tmp_path / "wc.yaml"), "--param-file", str(tmp_path / "params.json")
    )
    assert done.code == 2
    assert "params.n: --var n=many: must be a whole number" in done.err

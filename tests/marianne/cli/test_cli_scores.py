"""Verbs that need no conductor: validate, init, instruments, schema, logs, completion."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest


def test_init_writes_a_score_that_is_valid(marianne, tmp_path) -> None:
    assert marianne("init").code == 0
    told = marianne("validate", "hello.yaml")
    assert told.code == 0, told
    assert told.out.startswith("hello.yaml: valid, ")


def test_init_replaces_nothing_unless_forced(marianne, tmp_path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("precious")
    assert marianne("init", "mine").code == 5
    assert path.read_text() == "precious"
    assert marianne("init", "mine", "--force").code == 0
    assert path.read_text() != "precious"


def test_init_refuses_a_name_that_no_job_can_have(marianne, tmp_path) -> None:
    assert marianne("init", "../up").code == 2


@pytest.fixture
def invalid(home, tmp_path):
    path = tmp_path / "bad.yaml"
    path.write_text("name: bad\nsheets:\n  - name: a\n    rnu: echo\n")
    return path


def test_validate_says_file_line_and_column(marianne, invalid) -> None:
    told = marianne("validate", "bad.yaml")
    assert told.code == 2
    assert told.err.startswith("bad.yaml:4:5: sheets[0].rnu: unknown key")
    assert told.out == "bad.yaml: invalid\n"


def test_validate_json_reports_each_score(marianne, invalid) -> None:
    marianne("init")
    told = marianne("validate", "hello.yaml", "bad.yaml", "--expand", "--json")
    assert told.code == 2
    good, bad = told.json
    assert (good["valid"], bad["valid"]) == (True, False)
    assert len(good["plan"]["sheets"]) == good["sheets"]
    assert bad["problems"][0]["line"] == 4


def test_validate_expand_shows_a_row_a_sheet(marianne, home) -> None:
    marianne("init")
    told = marianne("validate", "hello.yaml", "--expand")
    assert any(line.split()[:3] == ["1", "numbers", "shell"] for line in told.out.splitlines())


def test_validate_of_no_file_is_a_problem_not_a_crash(marianne, home) -> None:
    told = marianne("validate", "nope.yaml")
    assert told.code == 2
    assert "Traceback" not in told.err


def test_instruments_are_listed_with_what_is_missing(marianne, home, monkeypatch) -> None:
    profile = home.instruments / "gone.yaml"
    profile.write_text(
        "name: gone\ndisplay_name: Gone\nkind: cli\ncli: {command: {executable: not-a-program-x}}\n"
    )
    told = marianne("instruments", "list")
    lines = {line.split()[0]: line for line in told.out.splitlines()}
    assert "yes" in lines["shell"]
    assert "'not-a-program-x' is not installed" in lines["gone"]
    rows = {row["name"]: row for row in marianne("instruments", "list", "--json").json}
    assert rows["shell"]["unavailable"] is None
    assert rows["gone"]["source"] == str(profile)
    assert marianne("instruments", "check", "gone").code == 1
    assert marianne("instruments", "check", "shell").code == 0


def test_an_instrument_is_shown_with_its_defaults(marianne, home) -> None:
    assert "executable: bash" in marianne("instruments", "show", "shell").out
    seen = marianne("instruments", "show", "shell", "--json").json
    assert seen["profile"]["cli"]["command"]["executable"] == "bash"
    assert marianne("instruments", "show", "nope").code == 4


@pytest.mark.parametrize("what", ["score", "instrument", "config"])
def test_schemas_are_json_schemas(marianne, home, what) -> None:
    assert marianne("schema", what).json["$schema"].startswith("https://json-schema.org/")


def test_the_log_is_read_without_a_conductor(marianne, home) -> None:
    entries = [
        {"ts": "2026-11-24T08:45:58.000000Z", "level": "info", "event": f"e{n}", "job": "wc"}
        for n in range(3)
    ]
    home.log.write_text("".join(json.dumps(entry) + "\n" for entry in entries) + "no json\n")
    told = marianne("logs", "-n", "3")
    assert [line.split()[-2:] for line in told.out.splitlines()] == [
        ["e1", "job=wc"],
        ["e2", "job=wc"],
        ["no", "json"],
    ]
    assert marianne("logs", "-n", "2", "--json").out.splitlines()[0] == json.dumps(entries[2])


def test_without_a_log_there_is_nothing_to_say(marianne, home) -> None:
    told = marianne("logs")
    assert (told.code, told.out) == (0, "")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_a_script(marianne, home, shell) -> None:
    assert "_MARIANNE_COMPLETE" in marianne("completion", shell).out


def test_completion_completes_verbs(marianne, home, monkeypatch) -> None:
    monkeypatch.setenv("_MARIANNE_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDS", "marianne stat")
    monkeypatch.setenv("COMP_CWORD", "1")
    told = marianne()
    assert told.code == 0
    assert "plain,status" in told.out


def test_completion_completes_job_ids(marianne, conductor, monkeypatch) -> None:
    jobs = [{"job_id": name} for name in ("word-count", "wc", "other")]
    conductor.answers["job.list"] = {"jobs": jobs, "cursor": None, "total": 3}
    monkeypatch.setenv("_MARIANNE_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDS", "marianne status w")
    monkeypatch.setenv("COMP_CWORD", "2")
    assert marianne().out.split() == ["plain,word-count", "plain,wc"]


@pytest.fixture
def completed(marianne, monkeypatch) -> Callable[[str], list[str]]:
    """What bash is offered for the last word of a line."""

    def complete(line: str) -> list[str]:
        monkeypatch.setenv("_MARIANNE_COMPLETE", "bash_complete")
        monkeypatch.setenv("COMP_WORDS", line)
        monkeypatch.setenv("COMP_CWORD", str(line.count(" ")))
        told = marianne()
        assert told.code == 0
        return told.out.split()

    return complete


@pytest.mark.parametrize("line", ["run ", "run sc", "validate a.yaml b", "schedule add ",
    "modify wc --config ", "resume wc -c ", "start --config x", "add -- ./b", "watch ",
    "run a.yaml --param-file "])  # fmt: skip
def test_completion_leaves_files_to_the_shell(completed, home, line) -> None:
    assert completed(f"marianne {line}") == [f"file,{line.rpartition(' ')[2]}"]


@pytest.mark.parametrize("line", ["run a.yaml --workspace ", "--home x", "status --home "])
def test_completion_leaves_directories_to_the_shell(completed, home, line) -> None:
    assert completed(f"marianne {line}") == [f"dir,{line.rpartition(' ')[2]}"]


@pytest.mark.parametrize(
    "line", ["output wc ", "explain wc ", "retry wc x ", "recover wc ", "history wc "]
)
def test_completion_completes_the_sheets_of_the_job(completed, conductor, line) -> None:
    names = ["fetch", "find", "two words"]
    sheets = [{"num": num, "name": name} for num, name in enumerate(names, 1)]
    conductor.answers["job.status"] = {"job_id": "wc", "sheets": sheets}
    assert completed(f"marianne {line}") == ["plain,fetch", "plain,find", "plain,3"]
    assert completed(f"marianne {line}fe") == ["plain,fetch"]
    assert conductor.params("job.status")["job_id"] == "wc"


@pytest.mark.parametrize("line", ["run a.yaml --group ", "group add ", "group remove "])
def test_completion_completes_groups(completed, conductor, line) -> None:
    conductor.answers["group.list"] = {"groups": [{"name": "gpu"}, {"name": "night"}]}
    assert completed(f"marianne {line}") == ["plain,gpu", "plain,night"]
    assert completed(f"marianne {line}n") == ["plain,night"]


def test_completion_without_a_conductor_has_no_sheets(completed, home) -> None:
    assert completed("marianne output wc ") == []


@pytest.mark.parametrize("line", ["instruments show ", "instruments check ", "clear-rate-limits "])
def test_completion_completes_instruments(completed, home, line) -> None:
    assert "plain,shell" in completed(f"marianne {line}")
    assert completed(f"marianne {line}she") == ["plain,shell"]


def test_config_show_says_what_a_conductor_would_start_with(marianne, home) -> None:
    home.config_file.write_text("max_concurrent_jobs: 7\n")
    told = marianne("config", "show", "--origin", "--json")
    assert told.json["config"]["max_concurrent_jobs"] == 7
    assert told.json["origin"]["max_concurrent_jobs"] == "file"
    assert marianne("config", "check").out == "valid\n"


def test_config_check_names_file_line_and_field(marianne, home) -> None:
    home.config_file.write_text("max_concurrent_jobs: 7\nmax_concurent_sheets: 2\n")
    told = marianne("config", "check")
    assert told.code == 2
    assert f"{home.config_file}:2:1: max_concurent_sheets: " in told.err
    assert "max_concurrent_sheets" in told.err
    seen = marianne("config", "check", "--json").json["error"]
    assert (seen["code"], seen["problems"][0]["line"]) == ("invalid_config", 2)


CLUSTER = """
executor: cl
executors:
  - {name: cl, kind: dask, address: "tcp://127.0.0.1:8786", shared_directory: /shared}
"""


def test_validate_refuses_scores_for_a_cluster_that_cannot_be_used_with_what_to_do(
    marianne, home, monkeypatch
) -> None:
    (home.path / "conductor.yaml").write_text(CLUSTER)
    assert marianne("init").code == 0
    assert marianne("validate", "hello.yaml").code == 0
    (home.path / "conductor.yaml").write_text(CLUSTER.replace("127.0.0.1", "10.0.0.1"))
    told = marianne("validate", "hello.yaml")
    assert told.code == 2
    assert "conductor.yaml:4:5: executors[0]: address: tcp://10.0.0.1:8786 is another" in told.err
    assert "Start it with TLS and say tls://" in told.err
    (home.path / "conductor.yaml").write_text(CLUSTER)
    monkeypatch.setattr("marianne.daemon.config.executors.find_spec", lambda name: None)
    told = marianne("validate", "hello.yaml")
    assert told.code == 2
    assert "pip install 'marianne-conductor[dask]'" in told.err
    assert "conductor.yaml" in told.err

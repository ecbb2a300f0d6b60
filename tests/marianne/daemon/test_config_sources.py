"""Which source wins, what each value's origin is, and what is said of a value that is wrong."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from marianne.daemon.config import ConfigError, DaemonConfig, Loaded, load_config, variable_of
from marianne.home import Home

HERE = Path(__file__).parent
OLD = HERE / "conductor_v1.yaml"


@pytest.fixture(autouse=True)
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No configuration of the person who runs the tests."""
    for name in list(os.environ):
        if name.startswith("MARIANNE_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path / "home")
    home.path.mkdir()
    return home


def load(home: Home, text: str, flags: Mapping[str, Any] | None = None) -> Loaded:
    home.config_file.write_text(text)
    return load_config(home, flags=flags)


def said(home: Home, text: str, flags: Mapping[str, Any] | None = None) -> str:
    with pytest.raises(ConfigError) as caught:
        load(home, text, flags)
    return str(caught.value).replace(str(home.config_file), "conductor.yaml")


def test_without_any_source_everything_is_a_default(home: Home) -> None:
    loaded = load_config(home)
    assert set(loaded.origins.values()) == {"default"}
    assert loaded.origins["resource_limits.max_memory_mb"] == "default"
    assert loaded.config.max_concurrent_jobs == 15


def test_places_that_nobody_set_are_those_of_the_home(home: Home) -> None:
    for loaded in (load_config(home), load(home, "log_file: /var/log/m.log")):
        assert loaded.config.socket.path == home.conductor_sock
        assert loaded.config.state_db_path == home.db
        assert loaded.config.pid_file == home.pid_file
        assert loaded.origins["pid_file"] == "default"
    assert loaded.config.log_file == Path("/var/log/m.log")


def test_every_value_has_an_origin(home: Home) -> None:
    assert set(load(home, "log_level: debug").origins) == set(load_config(home).origins)
    home.config_file.unlink()
    assert set(load(home, "log_level: debug").origins) == set(load_config(home).origins)


def test_a_flag_wins_over_the_environment_over_a_profile_over_the_file(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MARIANNE_MAX_CONCURRENT_SHEETS", "30")
    monkeypatch.setenv("MARIANNE_LOG_LEVEL", "error")
    text = (
        "max_concurrent_sheets: 20\nlog_level: warning\nmax_concurrent_jobs: 9\noutput_limit_mb: 3"
    )
    loaded = load(home, text, {"max_concurrent_sheets": 40, "profile": "dev", "job": None})
    config, origins = loaded.config, loaded.origins
    assert (config.max_concurrent_sheets, origins["max_concurrent_sheets"]) == (40, "flag")
    assert (config.log_level, origins["log_level"]) == ("error", "env")
    assert (config.max_concurrent_jobs, origins["max_concurrent_jobs"]) == (2, "profile")
    assert (config.output_limit_mb, origins["output_limit_mb"]) == (3, "file")
    assert origins["job_timeout_seconds"] == "default"


def test_the_homes_file_wins_over_the_users(home: Home, tmp_path: Path) -> None:
    users = tmp_path / "config" / "marianne" / "conductor.yaml"
    users.parent.mkdir(parents=True)
    users.write_text("max_concurrent_jobs: 3")
    loaded = load_config(home)
    assert loaded.config.max_concurrent_jobs == 3
    assert loaded.config.config_file == users
    assert load(home, "max_concurrent_sheets: 3").config.max_concurrent_jobs == 15


def test_a_named_file_replaces_the_others(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "other.yaml"
    other.write_text("max_concurrent_jobs: 4")
    home.config_file.write_text("max_concurrent_jobs: 3")
    assert load_config(home, other).config.max_concurrent_jobs == 4
    monkeypatch.setenv("MARIANNE_CONFIG_FILE", str(other))
    loaded = load_config(home)
    assert loaded.config.max_concurrent_jobs == 4
    assert loaded.origins["config_file"] == "env"


def test_a_named_file_must_exist(home: Home, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"missing\.yaml: cannot be read: No such file"):
        load_config(home, tmp_path / "missing.yaml")


def test_a_link_to_nowhere_is_said_and_not_passed_over(home: Home) -> None:
    home.config_file.symlink_to("nowhere.yaml")
    with pytest.raises(ConfigError, match="cannot be read"):
        load_config(home)


@pytest.mark.parametrize("text", ["", "# all\n# commented out\n", "---\n", "socket:\n", "null\n"])
def test_a_file_that_sets_nothing_is_no_error(home: Home, text: str) -> None:
    assert load(home, text).config.socket.backlog == 5


def test_a_variable_reaches_every_kind_of_field(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, text in {
        "resource_limits.max_memory_mb": "4096",
        "job_timeout_seconds": "90.5",
        "observer.enabled": "false",
        "learning.analyze_on": '["failure"]',
        "log_file": "~/c.log",
        "default_thinking_method": "7",
        "socket.permissions": "0o640",
        "mcp_pool.servers": '{"a": {"command": "x"}}',
    }.items():
        monkeypatch.setenv(variable_of(name), text)
    config = load_config(home).config
    assert config.resource_limits.max_memory_mb == 4096
    assert config.job_timeout_seconds == 90.5
    assert config.observer.enabled is False
    assert config.learning.analyze_on == ["failure"]
    assert config.log_file == Path.home() / "c.log"
    assert config.default_thinking_method == "7"
    assert config.socket.permissions == 0o640
    assert config.mcp_pool.servers["a"].command == "x"


def test_what_a_sheet_has_in_its_environment_configures_nothing(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HOME", "JOB_ID", "SHEET", "ATTEMPT", "WORKSPACE", "OWNER", "NONSENSE"):
        monkeypatch.setenv(f"MARIANNE_{name}", "x")
    assert set(load_config(home).origins.values()) == {"default"}


def test_a_wrong_variable_is_named(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MARIANNE_MAX_CONCURRENT_JOBS", "many")
    assert said(home, "") == (
        "environment variable MARIANNE_MAX_CONCURRENT_JOBS: max_concurrent_jobs: "
        'must be a whole number from 1 to 50, not "many"'
    )


def test_a_wrong_flag_and_a_wrong_profile_are_named(home: Home) -> None:
    assert said(home, "", {"log_levle": "x"}).startswith(
        "flag: log_levle: unknown key; did you mean 'log_level'?"
    )
    assert "no profile 'devv'; there are dev, intensive, minimal" in said(
        home, "", {"profile": "devv"}
    )


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (
            "log_level: info\nmax_concurrent_job: 3",
            "conductor.yaml:2:1: max_concurrent_job: unknown key; "
            "did you mean 'max_concurrent_jobs'?",
        ),
        (
            "max_processes: 9",
            "conductor.yaml:1:1: max_processes: unknown key; "
            "'max_processes' belongs in 'resource_limits'",
        ),
        (
            "socket: {log_file: /x}",
            "conductor.yaml:1:10: socket.log_file: unknown key; "
            "'log_file' belongs at the top, in no section",
        ),
        (
            "xyzzy: 1",
            "conductor.yaml:1:1: xyzzy: unknown key; "
            "'marianne schema config' prints the known keys",
        ),
        (
            "resource_limits:\n  max_memory_mb: 100",
            "conductor.yaml:2:18: resource_limits.max_memory_mb: must be at least 512, not 100",
        ),
        (
            "max_concurrent_sheets: yes",
            "conductor.yaml:1:24: max_concurrent_sheets: "
            "must be a whole number from 1 to 100, not true",
        ),
        (
            "max_job_history:",
            "conductor.yaml:1:17: max_job_history: must be a whole number, at least 10, not null; "
            "nothing is written here: give a value or remove the key",
        ),
        (
            "log_level: warn",
            "conductor.yaml:1:12: log_level: must be 'debug', 'info', 'warning' or 'error', "
            "not \"warn\"; did you mean 'warning'?",
        ),
        (
            "socket: {permissions: 600}",
            "conductor.yaml:1:23: socket.permissions: must be from 0o0 to 0o777, not 600; "
            "write 0o600, it is octal",
        ),
        (
            "pid_file: run/c.pid",
            "conductor.yaml:1:11: pid_file: must be an absolute path, or begin with '~/', "
            'not "run/c.pid"',
        ),
        (
            "preflight:\n  token_warning_threshold: 9\n  token_error_threshold: 5",
            "conductor.yaml:2:3: preflight: token_warning_threshold must be below "
            "token_error_threshold",
        ),
        ("socket: 7", "conductor.yaml:1:9: socket: must be a map of settings, not 7"),
        (
            "[1, 2]",
            "conductor.yaml:1:1: must be a map of settings; "
            "'marianne schema config' prints the known keys",
        ),
        (
            "keyring: {instruments: {a: {keys: [{path: /k}, {label: b}]}}}",
            "conductor.yaml:1:48: keyring.instruments.a.keys[1].path: is required",
        ),
        (
            "log_level: info\nlog_level: debug",
            "conductor.yaml:2:1: the key 'log_level' stands here twice; remove one",
        ),
        (
            "log_file: !!python/object:os.system x",
            "conductor.yaml:1:11: the tag !!python/object:os.system is not allowed; "
            "a configuration is plain data",
        ),
    ],
)
def test_what_is_wrong_is_said_with_its_place_and_what_to_do(
    home: Home, text: str, line: str
) -> None:
    assert said(home, text) == line


def test_all_that_is_wrong_is_said_at_once_in_the_order_of_the_file(home: Home) -> None:
    text = "max_job_history: 1\nlog_level: x\nsocket:\n  backlog: 0\nz: 1\n"
    places = [line.split(": ")[0] for line in said(home, text).splitlines()]
    assert places == [f"conductor.yaml:{p}" for p in ("1:18", "2:12", "4:12", "5:1")]


def test_a_problem_can_be_read_by_a_program(home: Home) -> None:
    with pytest.raises(ConfigError) as caught:
        load(home, "max_job_history: 1")
    (problem,) = caught.value.problems
    assert (problem.source, problem.line, problem.column) == (str(home.config_file), 1, 18)
    assert (problem.field, problem.message) == ("max_job_history", "must be at least 10, not 1")


@pytest.mark.parametrize(
    ("raw", "what"),
    [
        (b"\xff\xfe", "not written in UTF-8"),
        (b"a: [", "did not find"),
        (b"#" * (2**20 + 1), "larger than"),
        (b"a: &a [*a]", "contains itself"),
    ],
)
def test_a_file_that_is_no_yaml_is_refused(home: Home, raw: bytes, what: str) -> None:
    home.config_file.write_bytes(raw)
    with pytest.raises(ConfigError, match=what):
        load_config(home)


def test_a_directory_is_no_configuration(home: Home) -> None:
    home.config_file.mkdir()
    with pytest.raises(ConfigError, match="Is a directory"):
        load_config(home)


def test_a_flag_over_a_section_that_is_no_map_hides_no_error(home: Home) -> None:
    flags = {"resource_limits.max_memory_mb": 1024}
    assert "resource_limits: must be a map" in said(home, "resource_limits: 5", flags)


def test_settings_without_effect_are_told(home: Home) -> None:
    loaded = load(home, "log_level: info\nprofiler: {interval_seconds: 9, gpu_enabled: true}")
    assert loaded.notes == (
        f"{home.config_file}:2: profiler: accepted, no effect "
        "(what each attempt used is measured anyway: `marianne history`)",
    )
    assert load(home, "log_level: info", {"profile": "dev"}).notes == ()


def test_a_setting_that_says_what_is_so_anyway_is_not_told_of(home: Home) -> None:
    assert load(home, "socket: {permissions: 0o600}\nstate_backend_type: sqlite").notes == ()
    [note] = load(home, "socket:\n  permissions: 0o660").notes
    assert note.startswith(f"{home.config_file}:2: socket.permissions: accepted, no effect (")


def test_the_backend_of_learning_is_accepted_and_told_of(home: Home) -> None:
    text = "learning:\n  enabled: true\n  backend: {type: anthropic_api, model: x}\n"
    loaded = load(home, text)
    assert loaded.config.learning.backend == {"type": "anthropic_api", "model": "x"}
    [note] = loaded.notes
    assert note.startswith(f"{home.config_file}:3: learning.backend: accepted, no effect (")


def test_a_variable_without_effect_is_told_by_its_name(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MARIANNE_SOCKET__BACKLOG", "9")
    [note] = load(home, "log_level: info").notes
    assert note.startswith("environment variable MARIANNE_SOCKET__BACKLOG: socket.backlog: ")


def test_the_file_is_never_written(home: Home) -> None:
    text = "# mine\nlog_level:   debug\n"
    load(home, text)
    assert home.config_file.read_text() == text


def test_an_old_configuration_still_loads(home: Home) -> None:
    """The committed file holds every field of version 0.1; it is never changed, only added to."""
    loaded = load_config(home, OLD)
    assert "default" not in loaded.origins.values()
    assert loaded.config.resource_limits.max_memory_mb == 4096
    assert loaded.config.mcp_pool.servers["tools"].command == "mcp-server --stdio"


def test_a_start_on_the_defaults_pays_for_no_file_and_no_validator(home: Home) -> None:
    code = (
        "import sys\n"
        "from marianne.daemon.config import DaemonConfig, load_config\n"
        "from marianne.home import Home\n"
        f"load_config(Home({str(home.path)!r}))\n"
        "heavy = {'yaml', 'marianne.score', 'marianne.daemon.config.file', 'difflib'}\n"
        "print(sorted(heavy & set(sys.modules)), DaemonConfig.__pydantic_complete__)\n"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout == "[] False\n"


NO_NUMBERS = ["1.0e+308", ".inf", ".nan", "-1.0e+308", "9223372036854775807"]


@pytest.mark.parametrize("name", [name for name in DaemonConfig.names() if name != "config_file"])
def test_no_number_that_a_timer_or_a_date_cannot_take_is_accepted(home: Home, name: str) -> None:
    *sections, field = name.split(".")
    text = "".join(f"{'  ' * n}{part}:\n" for n, part in enumerate(sections))
    accepted = []
    for value in NO_NUMBERS:
        (home.path / "conductor.yaml").write_text(f"{text}{'  ' * len(sections)}{field}: {value}\n")
        try:
            load_config(home)
            accepted.append(value)
        except ConfigError:
            pass
    assert accepted == []


def test_a_configuration_that_is_no_regular_file_is_said_and_not_waited_for(home: Home) -> None:
    os.mkfifo(home.path / "conductor.yaml")
    with pytest.raises(ConfigError, match="no regular file"):
        load_config(home)

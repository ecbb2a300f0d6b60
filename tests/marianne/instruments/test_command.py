"""From an instrument and a prompt to a command line."""

from __future__ import annotations

from typing import Any

from marianne.instruments.command import MAX_ARGUMENT_BYTES, allowed_environment, build_command
from marianne.instruments.planned import from_profile
from marianne.instruments.profile import Profile
from marianne.instruments.registry import Registry
from marianne.model.plan import Instrument


def instrument(config: dict[str, Any] | None = None, **command: Any) -> Instrument:
    section = {"executable": "agent", **command}
    profile = Profile.model_validate({"name": "agent", "cli": {"command": section}})
    return from_profile(profile, "m1", config)


def argv(made: Instrument, prompt: str = "hi") -> list[str]:
    return list(build_command(made, prompt, "/p", 90.5, "/w").argv)


def test_the_shell_runs_the_script_file_and_stops_at_the_first_failure() -> None:
    profile = Registry.load().get("shell")
    assert profile is not None
    command = build_command(from_profile(profile), "true", "/jobs/1.1.prompt", None, "/w")
    assert command.argv == ("bash", "-eu", "-o", "pipefail", "/jobs/1.1.prompt")
    assert command.stdin_path is None


def test_arguments_stand_in_the_documented_order() -> None:
    made = instrument(
        subcommand="exec",
        auto_approve_flag="--yes",
        output_format_flag="--format",
        output_format_value="json",
        model_flag="-m",
        timeout_flag="--timeout",
        working_dir_flag="-C",
        stdin_sentinel="-",
        mcp_disable_args=["--no-mcp"],
        extra_flags=["--last"],
    )
    line = "agent exec --yes --format json -m m1 --timeout 90 -C /w - --no-mcp --last"
    assert " ".join(argv(made)) == line


def test_a_long_prompt_goes_to_stdin_whatever_the_profile_says() -> None:
    made = instrument(prompt_via_stdin=False, prompt_flag="-p")
    assert argv(made) == ["agent", "-p", "hi"]
    command = build_command(made, "x" * (MAX_ARGUMENT_BYTES + 1), "/p", None, "/w")
    assert (command.argv, command.stdin_path) == (("agent",), "/p")


def test_the_scores_settings_switch_flags() -> None:
    made = instrument(
        {"skip_permissions": False, "disable_mcp": False, "allowed_tools": ["a", "b"]},
        auto_approve_flag="--yes",
        mcp_disable_args=["--no-mcp"],
        allowed_tools_flag="--tools",
    )
    assert argv(made) == ["agent", "--tools", "a,b"]


def test_an_allow_list_hides_everything_else() -> None:
    made = instrument(required_env=["KEY"], env={"TOKEN": "t-${KEY}${NONE}"})
    environ = {"KEY": "k", "PATH": "/bin", "LC_ALL": "C", "SECRET": "s"}
    command = build_command(made, "", "/p", None, "/w", environ)
    assert allowed_environment(command, environ) == {
        "KEY": "k",
        "PATH": "/bin",
        "LC_ALL": "C",
        "TOKEN": "t-k",
    }

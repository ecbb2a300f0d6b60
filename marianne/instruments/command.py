"""From an instrument and a prompt to a command line. Pure: nothing is started or read."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import field
from typing import Any

from marianne.model.plan import Instrument
from marianne.records import dataclass

# A longer argument makes programs and the kernel refuse; such a prompt goes to stdin.
MAX_ARGUMENT_BYTES = 32_768

_ALWAYS = frozenset(
    {"PATH", "HOME", "USER", "LOGNAME", "SHELL", "TERM", "LANG", "TMPDIR", "TMP", "TEMP"}
    | {"TRACEPARENT", "TRACESTATE"}  # no secrets, and an agent's own spans belong below its sheet
)
_ALWAYS_PREFIXES = ("LC_", "XDG_", "MARIANNE_")
_VARIABLE = re.compile(r"\$\{([A-Za-z_]\w*)\}")


@dataclass(frozen=True, slots=True)
class Command:
    """What to start. ``stdin_path`` None is /dev/null.

    ``env_extra`` is set over the sheet's environment. ``env_allow`` None inherits everything;
    otherwise only those names and the everyday ones (see allowed_environment) are passed on.
    """

    argv: tuple[str, ...]
    stdin_path: str | None = None
    env_extra: dict[str, str] = field(default_factory=dict)
    env_allow: tuple[str, ...] | None = None
    cwd: str | None = None


def build_command(
    instrument: Instrument,
    prompt: str,
    prompt_path: str,
    timeout: float | None,
    workspace: str,
    environ: Mapping[str, str] | None = None,
) -> Command:
    """The command line of one attempt.

    ``prompt_path`` is where the caller has written, or will write, ``prompt``. ``environ`` is
    what ``${NAME}`` in the profile's env is taken from; an absent name becomes empty text.
    """
    profile, config = instrument.command, instrument.config
    argv = [str(profile["executable"]), *profile["leading_flags"]]
    if profile["subcommand"]:
        argv += str(profile["subcommand"]).split()
    argv += _options(instrument, profile, config)
    if profile["timeout_flag"] and timeout is not None:
        argv += [profile["timeout_flag"], str(max(1, int(timeout)))]
    if profile["working_dir_flag"]:
        argv += [profile["working_dir_flag"], workspace]
    stdin_path = _add_prompt(argv, profile, prompt, prompt_path)
    if config.get("disable_mcp", True):
        argv += profile["mcp_disable_args"]
    argv += profile["extra_flags"]
    argv += [str(argument) for argument in config.get("cli_extra_args") or ()]
    names = environ or {}
    return Command(
        argv=tuple(argv),
        stdin_path=stdin_path,
        env_extra={
            key: _VARIABLE.sub(lambda match: names.get(match[1], ""), value)
            for key, value in profile["env"].items()
        },
        env_allow=None if profile["required_env"] is None else tuple(profile["required_env"]),
        cwd=config.get("working_directory"),
    )


def allowed_environment(command: Command, environ: Mapping[str, str]) -> dict[str, str]:
    """The part of ``environ`` that a command may see, with its own variables set."""
    if command.env_allow is None:
        kept = dict(environ)
    else:
        names = _ALWAYS | set(command.env_allow)
        kept = {k: v for k, v in environ.items() if k in names or k.startswith(_ALWAYS_PREFIXES)}
    kept.update(command.env_extra)
    return kept


def _options(instrument: Instrument, profile: dict[str, Any], config: dict[str, Any]) -> list[str]:
    argv: list[str] = []
    if profile["auto_approve_flag"] and config.get("skip_permissions", True):
        argv += str(profile["auto_approve_flag"]).split()
    if profile["output_format_flag"]:
        argv.append(profile["output_format_flag"])
        if profile["output_format_value"]:
            argv.append(profile["output_format_value"])
    if profile["model_flag"] and instrument.model:
        argv += [profile["model_flag"], instrument.model]
    tools = config.get("allowed_tools")
    if profile["allowed_tools_flag"] and tools:
        argv += [profile["allowed_tools_flag"], ",".join(tools)]
    if profile["system_prompt_flag"] and config.get("system_prompt_file"):
        argv += [profile["system_prompt_flag"], str(config["system_prompt_file"])]
    if profile["mcp_config_flag"] and config.get("mcp_config"):
        argv += [profile["mcp_config_flag"], str(config["mcp_config"])]
    return argv


def _add_prompt(
    argv: list[str], profile: dict[str, Any], prompt: str, prompt_path: str
) -> str | None:
    """Adds the prompt to the line, or says which file is its stdin."""
    if profile["prompt_via_file"]:
        argv += [profile["prompt_flag"], prompt_path] if profile["prompt_flag"] else [prompt_path]
        return None
    too_long = len(prompt.encode("utf-8", "surrogateescape")) > MAX_ARGUMENT_BYTES
    if profile["prompt_via_stdin"] or too_long:
        if profile["stdin_sentinel"]:
            argv.append(profile["stdin_sentinel"])
        return prompt_path
    argv += [profile["prompt_flag"], prompt] if profile["prompt_flag"] else [prompt]
    return None

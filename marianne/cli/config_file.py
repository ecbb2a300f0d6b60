"""The configuration file of a home: where it is, its first text, and one setting changed in it."""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from marianne.cli.errors import CliError
from marianne.home import Home, config_places
from marianne.private import PRIVATE_FILE

if TYPE_CHECKING:
    from pydantic import BaseModel


def place(home: Home) -> Path:
    """The file that a conductor of this home reads, or would if it were there."""
    given = os.environ.get("MARIANNE_CONFIG_FILE")
    if given:
        return Path(os.path.abspath(os.path.expanduser(given)))
    return next((one for one in config_places(home) if os.path.lexists(one)), home.config_file)


def starter() -> str:
    """Every setting with its default and its meaning, commented out."""
    from marianne.daemon.config import DaemonConfig
    from marianne.daemon.config.inert import WITHOUT_EFFECT

    head = (
        "## Every setting of the conductor with its default: take the first # away to change one,\n"
        "## and that of its section. `marianne config check` says what does not fit, `marianne\n"
        "## reload` has a running conductor read it.\n"
    )
    return head + "".join(_described(DaemonConfig, "", frozenset(WITHOUT_EFFECT)))


def _described(model: type[BaseModel], prefix: str, left_out: frozenset[str]) -> Iterator[str]:
    from marianne.daemon.config.sections import Section

    defaults = model.model_construct().model_dump(mode="json")
    indent = "  " * prefix.count(".")
    for name, field in model.model_fields.items():
        if prefix + name in {*left_out, "config_file"}:
            continue
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, Section):
            yield f"# {indent}{name}:  # {(kind.__doc__ or '').splitlines()[0]}\n"
            yield from _described(kind, f"{prefix}{name}.", left_out)
        else:
            yield f"# {indent}{name}: {_yaml(defaults[name])}  # {field.description}\n"


def _yaml(value: Any) -> str:
    import json

    return value if isinstance(value, str) else json.dumps(value)


def write(file: Path, text: str, *, new: bool) -> None:
    """Writes the whole file or nothing; with ``new`` only where there is none."""
    if new and os.path.lexists(file):
        raise CliError("conflict", f"{file} is there already", "--force replaces it")
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    target = Path(os.path.realpath(file))
    mode = target.stat().st_mode & 0o777 if target.exists() else PRIVATE_FILE
    descriptor, fresh = tempfile.mkstemp(dir=target.parent, prefix=".conductor-")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            stream.write(text)
            os.fchmod(stream.fileno(), mode)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(fresh, target)
    except BaseException:
        os.unlink(fresh)
        raise


@contextmanager
def alone(file: Path) -> Iterator[None]:
    """Nobody else changes the file meanwhile who asks here: what is read is what is replaced.

    The lock is on a file beside it, for the file itself is another one after each change."""
    target = Path(os.path.realpath(file))
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
    descriptor = os.open(target.with_name(f".{target.name}.lock"), flags, PRIVATE_FILE)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def changed(home: Home, file: Path, name: str, text: str) -> str:
    """The file's text with this setting; CliError where the setting or the file does not fit."""
    import yaml

    from marianne.daemon.config import ConfigError, DaemonConfig, load_config
    from marianne.daemon.config.edit import NotEditableError, put, scalar
    from marianne.model.errors import did_you_mean

    names = list(DaemonConfig.names())
    if name not in names or name == "config_file":
        hint = did_you_mean(name, names) or "marianne config show lists them"
        raise click.UsageError(f"there is no setting {name!r}; {hint}")
    before = file.read_text(encoding="utf-8") if file.exists() else ""
    try:
        after = put(before, name, scalar(text))
    except (yaml.YAMLError, NotEditableError) as error:
        raise CliError(
            "invalid_config", f"{file} cannot be changed here: {error}", f"write {name} into it"
        ) from None
    with tempfile.TemporaryDirectory() as directory:
        trial = Path(directory, file.name)
        trial.write_text(after, encoding="utf-8")
        try:
            load_config(home, trial)
        except ConfigError as error:
            where = str(trial)
            raise ConfigError(
                replace(problem, source=str(file)) if problem.source == where else problem
                for problem in error.problems
            ) from None
    return after

"""What a start came to, why an incarnation ended, and the one notice of it that watchers get."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from actors.outside import shown

if TYPE_CHECKING:
    from types import TracebackType

    from actors.address import ActorRef

Kind = Literal["normal", "shutdown", "killed", "error"]


@dataclass(frozen=True, slots=True)
class ExitReason:
    """The one reason of one incarnation.

    `normal`: it was done. `shutdown`: its supervisor or the system told it to end. `killed`: it was
    fenced and abandoned. `error`: `error` left a handler, or `detail` says what was wrong.
    """

    kind: Kind
    detail: str = ""
    error: BaseException | None = field(default=None, compare=False)
    frames: tuple[tuple[str, int, str], ...] = field(default=(), compare=False, repr=False)

    @property
    def abnormal(self) -> bool:
        """Whether a transient child with this reason is restarted.

        The one deviation from OTP: a supervisor that gave up ends with `shutdown(intensity)`, which
        is abnormal here; OTP's plain `shutdown` would be swallowed by a transient parent spec.
        """
        return self.kind in {"killed", "error"} or self.detail == "intensity"

    @property
    def traceback(self) -> str:
        """The stack at the crash as text, innermost call last; empty when there was no crash."""
        if not self.frames:
            return ""
        import linecache

        lines = ["Traceback (most recent call last):\n"]
        for filename, number, function in self.frames:
            lines.append(f'  File "{filename}", line {number}, in {function}\n')
            source = linecache.getline(filename, number).strip()
            if source:
                lines.append(f"    {source}\n")
        lines.append(f"{_describe(self.error)}\n")
        return "".join(lines)

    def __str__(self) -> str:
        if self.error is not None:
            where = "" if self.detail == type(self.error).__name__ else f"({self.detail})"
            return f"{self.kind}{where}: {_describe(self.error)}"
        detail = shown(self.detail, str)
        return f"{self.kind}({detail})" if detail else self.kind


NORMAL = ExitReason("normal")
SHUTDOWN = ExitReason("shutdown")
KILLED = ExitReason("killed")
FORKED = ExitReason("error", "actors do not come along into a forked child")
NO_ACTOR = ExitReason("error", "no such actor")


def gave_up(cause: ExitReason) -> ExitReason:
    """A supervisor had too many restarts; the last one was for `cause`."""
    return ExitReason("shutdown", "intensity", cause.error, cause.frames)


def crash(error: BaseException) -> ExitReason:
    """The reason for an exception that left a handler.

    The traceback becomes plain data and is cut from the exception, because it would keep every
    local variable of the dead handler alive for as long as anybody holds the reason.
    """
    frames = _frames(error.__traceback__)
    try:
        _cut(error)
    except BaseException:  # noqa: BLE001
        pass  # one that does not let us stays as it is
    return ExitReason("error", type(error).__name__, error, frames)


def _cut(error: BaseException | None) -> None:
    for _ in range(20):
        if error is None:
            break
        error.__traceback__ = None
        error = error.__context__ if error.__cause__ is None else error.__cause__


def _frames(traceback: TracebackType | None) -> tuple[tuple[str, int, str], ...]:
    frames = []
    while traceback is not None:
        code = traceback.tb_frame.f_code
        frames.append((code.co_filename, traceback.tb_lineno, code.co_name))
        traceback = traceback.tb_next
    return tuple(frames[-50:])


def _describe(error: BaseException | None) -> str:
    text = shown(error, str)
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


class Down(NamedTuple):
    """An actor you monitor has ended. Sent once, after its `on_stop` has returned.

    Of a name that nobody had, it comes at once with the reason `NO_ACTOR` and no `ref`.
    """

    name: str
    ref: ActorRef[Any] | None
    reason: ExitReason


class Ignore:
    """Return `Ignore()` from `on_start` to say: not now, and that is no failure."""


class Info(NamedTuple):
    """Return `Info(value)` from `on_start` to hand `value` to the starter as `ref.info`."""

    value: Any


class Started(NamedTuple):
    """The acknowledgement that a starter waits for."""

    outcome: Literal["ok", "ignore", "error"]
    reason: ExitReason
    info: Any = None

"""Reading the configuration again while the conductor runs: SIGHUP and ``daemon.reload``.

What can change at once does; what the running conductor has open is named as needing a restart and
keeps its value; a configuration that does not fit changes nothing and is one clear error.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from actors import Future
from marianne.daemon.config import RESTART_ONLY, ConfigError, Loaded, changed, load_config
from marianne.daemon.context import Context
from marianne.daemon.jobs.actor import ManagerActor
from marianne.daemon.shared.log import get_logger, reopen_log
from marianne.daemon.shared.refusal import Refused

if TYPE_CHECKING:
    from marianne.replies.conductor import Reloaded

R = TypeVar("R")

log = get_logger(__name__)

APPLY_SECONDS = 5.0

_one_at_a_time = threading.Lock()


def aside(context: Context, work: Callable[[Context], R]) -> Future[R]:
    """The answer of ``work``, which reads files and so has a thread of its own."""
    answer: Future[R] = Future(context.system, "configuration", None, None)

    def run() -> None:
        try:
            answer.answer(work(context))
        except Exception as error:  # noqa: BLE001 - answered with its code, logged if unforeseen
            answer.refuse(error)

    try:
        threading.Thread(target=run, name="configuration", daemon=True).start()
    except RuntimeError as error:
        answer.refuse(Refused("unavailable", f"no thread can be had now: {error}"))
    return answer


def reload(context: Context) -> Reloaded:
    """Applies the configuration as it is now, and goes on in the log file that has its name now;
    not to be called from an actor's thread.

    Returns ``applied`` and ``restart_needed``, dotted names, and ``warnings``. Refuses with
    ``invalid_params`` and the problems.
    """
    with _one_at_a_time:
        _reopen_log()
        loaded = read(context)
        read_now = context.service.limits(loaded.config)
        applied, later = changed(context.config, read_now)
        kept = {name: getattr(context.config, name) for name in RESTART_ONLY}
        new = read_now.model_copy(update=kept)
        origins = {
            name: context.origins.get(name, origin) if name.split(".")[0] in kept else origin
            for name, origin in loaded.origins.items()
        }
        context.manager.within(APPLY_SECONDS).ask(ManagerActor.apply_config, new)
        context.origins = origins
    log.info("reloaded", applied=applied, restart_needed=later)
    if later:
        log.warning("restart_needed", names=later)
    return {"applied": applied, "restart_needed": later, "warnings": list(loaded.notes)}


def _reopen_log() -> None:
    try:
        reopen_log()
    except OSError as error:
        log.warning("log_not_reopened", error=str(error))


def read(context: Context) -> Loaded:
    """The configuration as it is on disk now. Refuses with ``invalid_params`` and the problems."""
    try:
        return load_config(context.home, path=context.config_path)
    except ConfigError as error:
        log.error("configuration_refused", error=str(error))
        raise _refused(error) from None


def _refused(error: ConfigError) -> Refused:
    return Refused(
        "invalid_params",
        "the configuration does not fit; nothing was changed",
        hint="`marianne config check` shows the same",
        data={"problems": [problem.to_map() for problem in error.problems]},
    )

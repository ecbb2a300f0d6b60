"""``daemon.reload``: the configuration is read again and applied."""

from __future__ import annotations

import threading
from typing import Any

from actors import Future
from marianne.daemon.call import Call
from marianne.daemon.reloading import reload

Params = None
MUTATING = False


def handle(call: Call, params: None) -> Future[dict[str, Any]]:
    """What was applied and what needs a restart. Reading files takes a thread of its own."""
    answer: Future[dict[str, Any]] = Future(call.context.system, "reload", None, None)

    def work() -> None:
        try:
            answer.answer(reload(call.context))
        except Exception as error:  # noqa: BLE001 - answered with its code, logged if unforeseen
            answer.refuse(error)

    threading.Thread(target=work, name="reload", daemon=True).start()
    return answer

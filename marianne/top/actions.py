"""What a key may do to a job."""

from __future__ import annotations

from typing import Any, Final

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Static

from marianne.cli.commands.cancel import CANCEL_SECONDS
from marianne.cli.errors import CliError
from marianne.client.conductor import Conductor

ACTIONS: Final = {"p": "pause", "r": "resume", "t": "retry", "c": "cancel"}
SECONDS: Final = 60.0


class Confirm(ModalScreen[bool]):
    """A question that ``y`` answers with yes, any other of its keys with no."""

    CSS = """
    Confirm { align: center middle; }
    Confirm Vertical { width: auto; height: auto; padding: 1 3; border: round $warning; }
    Confirm Static { width: auto; }
    """
    BINDINGS = [("y", "answer(True)", "yes"), ("n,escape,enter", "answer(False)", "no")]

    def __init__(self, question: str) -> None:
        super().__init__()
        self._question = question

    def compose(self) -> ComposeResult:
        """The question and its keys."""
        with Vertical():
            yield Static(f"{self._question}   y: yes   n: no", markup=False)

    def action_answer(self, yes: bool) -> None:
        """Goes back to the screen before."""
        self.dismiss(yes)


async def act(conductor: Conductor, name: str, job: str) -> str:
    """Does it; what became of the job, in words. Raises CliError where it is refused."""
    if name == "retry":
        told = await conductor.ask("job.retry", SECONDS, job_id=job, sheets=None)
        return str(told.get("message") or told["status"])
    seconds = CANCEL_SECONDS if name == "cancel" else SECONDS
    (row,) = (await conductor.ask(f"job.{name}", seconds, ids=[job]))["jobs"]
    if not row["ok"]:
        error: dict[str, Any] = row["error"]
        raise CliError(error["code"], error["message"], error["hint"])
    return str(row["status"])

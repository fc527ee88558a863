"""What the app says: messages, troubles with their remedy, and commands for the log."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, TypeVar

from tui_batch.errors import UserError
from tui_batch.safe_text import safe_lines, safe_text
from tui_batch.store import StoreTrouble
from tui_batch.tui.actions import by_id
from tui_batch.tui.desk import Desk
from tui_batch.tui.suspending import Suspending

if TYPE_CHECKING:
    from tui_batch.tui.places.log import LogPlace

R = TypeVar("R")


class Telling(Suspending[R]):
    """Foreign text in what is said never acts."""

    desk: Desk

    async def guarded(self, work: Coroutine[Any, Any, None], action_id: str = "", jobs: str = "") -> None:
        """Runs it; what goes wrong is said in words, and the app goes on.

        `action_id` and `jobs` say what a person wanted of which jobs, where it is the database that refuses: it may
        refuse a while after the key was pressed, and its words are about itself.
        """
        try:
            await work
        except StoreTrouble as error:
            action = by_id(action_id)
            wanted = f"{action.label} {jobs}".strip() if action is not None else ""
            self.say_trouble(UserError(f"{wanted}: {error.message}" if wanted else error.message, remedy=error.remedy))
        except UserError as error:
            self.say_trouble(error)

    def say_trouble(self, error: UserError) -> None:
        """An error with its remedy, as a toast and in the log."""
        self.notify(safe_lines(str(error)[:400]), severity="error", markup=False)
        self.log_place.note("error", str(error))

    def say(self, words: str) -> None:
        """A short message; foreign text in it is safe."""
        self.notify(safe_text(words, 300), markup=False)

    @property
    def log_place(self) -> LogPlace:
        """Where actions and errors are noted."""
        from tui_batch.tui.places.log import LogPlace

        return self.query_one(LogPlace)

    def record(self, *words: str) -> None:
        """Notes what was done, as the command that does the same."""
        self.log_place.record(self.desk.where.command(*words))

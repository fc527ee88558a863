"""ctrl+z, as in other programs of a shell: the app stands still until `fg`. Not while jobs run in it."""

from __future__ import annotations

import sys
from typing import TypeVar

from tui_batch import figures
from tui_batch.tui.quick_keys import QuickKeys
from tui_batch.tui.view import View

R = TypeVar("R")


class Suspending(QuickKeys[R]):
    """A stopped process sends nothing, and others take its jobs for abandoned: it is not stopped while it has any."""

    view: View

    async def on_mount(self) -> None:
        """Back from the shell the screen is empty, while Textual still takes it for drawn."""
        self.app_resume_signal.subscribe(self, lambda _: self.refresh(layout=True))

    def action_app_suspend(self) -> None:
        """Gives the terminal back to the shell, or says why not."""
        if trouble := self._why_not():
            self.notify(trouble, severity="warning", markup=False)
        else:
            self.action_suspend_process()

    def _why_not(self) -> str:
        """In words; empty where nothing keeps the app from standing still."""
        if running := len(self.view.engine.jobs):
            stand = "runs here and would stand" if running == 1 else "run here and would stand"
            return f"{figures.things(running, 'job')} {stand} still. q leaves, and keeps them running if you like."
        if sys.platform == "win32" or self._driver is None or not self._driver.can_suspend:
            return "This terminal cannot put a program aside. Leave with q; all is there again when you come back."
        return ""

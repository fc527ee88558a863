"""How often the app looks at its jobs: often while anything moves, seldom while all stands still."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from textual.app import App
from textual.timer import Timer

TICK_S = 0.25
SLOW_S = 1.0
"""While nothing runs and no key comes, or while the terminal says that it has no focus."""
PATIENCE = 8
"""So many looks at what stands still before they become seldom: what a key sets going shows up meanwhile."""


class Pulse:
    """The one timer of the app."""

    def __init__(self, app: App[Any], beat: Callable[[], Awaitable[None]]) -> None:
        self._app = app
        self._beat = beat
        self._timer: Timer | None = None
        self._seconds = TICK_S
        self._focused = True
        self._still = 0
        self._beating = False

    def start(self) -> None:
        """Beats from now on."""
        self._timer = self._app.set_interval(self._seconds, self._look)

    async def _look(self) -> None:
        """A slow look skips beats, it never piles them up."""
        if self._beating:
            return
        self._beating = True
        try:
            await self._beat()
        finally:
            self._beating = False

    def focus(self, focused: bool) -> None:
        """Whether the terminal has the focus, as far as it tells."""
        self._focused = focused
        self._retime()

    def touch(self) -> None:
        """Somebody does something."""
        self._still = 0
        self._retime()

    def seen(self, *, moves: bool) -> None:
        """After each look: whether anything runs."""
        self._still = 0 if moves else self._still + 1
        self._retime()

    def _retime(self) -> None:
        seconds = TICK_S if self._focused and self._still < PATIENCE else SLOW_S
        if seconds == self._seconds:
            return
        self._seconds = seconds
        if self._timer is not None:
            self._timer.stop()
            self.start()

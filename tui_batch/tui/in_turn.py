"""What the app does once its first view is drawn, in steps between which what is there by then is drawn."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

from textual.app import App

Step: TypeAlias = Callable[[], Awaitable[None]]


class InTurn:
    """Does the steps one after the other. `done` is set at their end, and when one of them fails."""

    def __init__(self, app: App[Any], *steps: Step) -> None:
        self._app = app
        self._steps = steps
        self.done = asyncio.Event()

    async def begin(self) -> None:
        """After the next repaint. Without a screen nobody waits for a first sight, so all is done at once."""
        if self._app.is_headless:
            for step in self._steps:
                await self._do(step)
            self.done.set()
        else:
            self._app.call_after_refresh(self._go_on, self._steps)

    async def _go_on(self, steps: tuple[Step, ...]) -> None:
        """One step; the next follows when what it brought is drawn.

        The screen is asked for that, not the app: the app's own queue may stand still behind a key until `done`. It is
        told to repaint, as what the step changed has not yet asked it to.
        """
        await self._do(steps[0])
        if len(steps) > 1:
            self._app.screen.refresh().call_after_refresh(self._go_on, steps[1:])
        else:
            self.done.set()

    async def _do(self, step: Step) -> None:
        try:
            await step()
        except BaseException:
            self.done.set()
            raise

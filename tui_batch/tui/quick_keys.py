"""An app whose lists act on a key as soon as it is read, and in which no key outruns the one before.

Textual hands a key to the focused widget and from there up to the app, which looks for its binding: a turn of the event
loop at every step, six in all. While an engine works on the same loop each turn takes some 10 ms.

A key may open a dialog or give a field the focus, which takes turns as well. What is typed or pasted meanwhile is held
back for it: ":report" must not retry, pause and clone jobs on its way into the palette.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Set
from typing import Any, TypeVar

from textual import events
from textual.app import App
from textual.screen import Screen
from textual.widget import Widget
from textual.worker import Worker

from tui_batch.tui.widgets.item_table import ItemTable
from tui_batch.tui.widgets.table import Table
from tui_batch.tui.workers import Workers

R = TypeVar("R")

OPENERS = frozenset({"verbs", "palette", "quit", "theme", "copy", "export", "compare", "items-asking"})
"""Groups of workers in which a person is asked something, perhaps after a look into the database."""
PATIENCE_S = 0.5
"""What a key began is waited for so long: a verb may have to wait for another process."""
GRACE_S = 0.02
"""In which a key that takes the long way has begun what it begins."""
LOOK_S = 0.004


class QuickKeys(App[R]):
    """Looks for the binding at once where a list has the focus; all else goes Textual's way, in the order typed."""

    def __init__(self) -> None:
        super().__init__()
        self._workers = Workers(self)
        self._held: deque[events.Key | events.Paste] = deque()
        self._follows: asyncio.Task[None] | bool = False
        """What the last key began is under way: what is typed is held back."""

    async def on_event(self, event: events.Event) -> None:
        """A key that no list understands, and whatever is no key, is Textual's."""
        if not isinstance(event, events.Key | events.Paste) or event.is_forwarded:
            await super().on_event(event)
        elif self._follows:
            self._held.append(event)
        else:
            await self._take(event)

    async def _take(self, event: events.Key | events.Paste) -> None:
        before, running = self.screen, self._openers()
        if isinstance(event, events.Key) and await self._act(event.key):
            began = self._openers() - running
            if self.screen is before and not began:
                self._follows = True
                self.call_later(self._release)  # after a change of focus, which comes by the same queue
            else:
                self._follows = asyncio.create_task(self._follow(before, running, 0.0))
            return
        is_typed = self.focused is not None and not isinstance(self.focused, Table | ItemTable)
        await super().on_event(event)
        if isinstance(event, events.Key) and len(self.screen_stack) == 1 and not is_typed:
            self._follows = asyncio.create_task(self._follow(before, running, GRACE_S))

    async def _follow(self, before: Screen[Any], running: Set[Worker[Any]], grace_s: float) -> None:
        """Waits until what a key began is done or has the focus, then lets the keys after it go."""
        loop = asyncio.get_running_loop()
        began_at = loop.time()
        while (passed := loop.time() - began_at) < PATIENCE_S:
            if passed >= grace_s and self._is_settled(before, running):
                break
            await asyncio.sleep(LOOK_S)
        self.call_later(self._release)

    def _is_settled(self, before: Screen[Any], running: Set[Worker[Any]]) -> bool:
        if self.screen is before:
            return not self._openers() - running
        return self.screen.is_mounted and (self.screen.focused is not None or not self.screen.focus_chain)

    def _openers(self) -> frozenset[Worker[Any]]:
        return frozenset(one for one in self.workers if one.group in OPENERS and not one.is_finished)

    async def _release(self) -> None:
        self._follows = False
        while self._held and not self._follows:
            await self._take(self._held.popleft())

    async def _act(self, key: str) -> bool:
        """Does what the key means in the list that has the focus; False: nothing, or it may mean more on its way up."""
        focused = self.focused
        if not self.app_focus or not isinstance(focused, Table | ItemTable) or _is_met(focused, key):
            return False
        return await self._check_bindings(key, priority=True) or await self._check_bindings(key)


def _is_met(widget: Widget, key: str) -> bool:
    """Whether a widget or what is around it takes this key by a method of its own."""
    nodes = [node for node in widget.ancestors_with_self if not isinstance(node, App)]
    return any(hasattr(node, "on_key") or hasattr(node, f"key_{key}") for node in nodes)

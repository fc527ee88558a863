"""An app whose lists act on a key as soon as it is read, and in which no key outruns the one before.

Textual hands a key to the focused widget and from there up to the app, which looks for its binding: a turn of the event
loop at every step, six in all. While an engine works on the same loop each turn takes some 10 ms.

A letter is written by the field that has the focus as soon as that hears of it. A key that leaves the field, or opens a
dialog, takes all those turns. What is typed, pasted or clicked meanwhile is held back until it came home: a name that
is typed after tab must not end in the field before, and ":report" must not retry, pause and clone jobs.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Set
from functools import partial
from typing import Any, TypeAlias, TypeVar

from textual import events
from textual.app import App
from textual.errors import NoWidget
from textual.screen import Screen
from textual.widget import Widget
from textual.worker import Worker

from tui_batch.tui.way_home import WayHome
from tui_batch.tui.widgets.in_order import Typing
from tui_batch.tui.widgets.listing import Listing
from tui_batch.tui.workers import Workers

R = TypeVar("R")
Doing: TypeAlias = events.InputEvent | events.Paste
"""What a person does: keys, mouse, text from the clipboard."""

OPENERS = frozenset({"verbs", "palette", "quit", "theme", "copy", "export", "compare", "items-asking"})
"""Groups of workers in which a person is asked something, perhaps after a look into the database."""
PATIENCE_S = 0.5
"""What a key began is waited for so long: a verb may have to wait for another process."""
LOOK_S = 0.004
REPEATED = frozenset({"up", "down", "left", "right", "pageup", "pagedown"})
"""Keys that are held down: one does not wait for the one before, which takes the same way."""


class QuickKeys(App[R]):
    """Looks for the binding at once where a list has the focus; all else goes Textual's way, in the order typed."""

    def __init__(self) -> None:
        super().__init__()
        self._workers = Workers(self)
        self._held: deque[Doing] = deque()
        self._ways = 0
        """What is on its way home: what comes after it is held back."""
        self._last = ""
        """The key that is on its way; empty: something else is."""
        self._awaiting: asyncio.Task[None] | None = None
        """Waits for what a key began, to have the focus; the app keeps it from being thrown away."""

    async def on_event(self, event: events.Event) -> None:
        """What a person does, in its order. Whatever else comes is Textual's, as is what the screen hands back."""
        if not isinstance(event, Doing) or event.is_forwarded:
            await super().on_event(event)
        elif self._held or not self._may_go(event):
            self._held.append(event)
        else:
            await self._take(event)

    def _may_go(self, event: Doing) -> bool:
        """Whether nothing is on its way that the event must not outrun."""
        is_repeated = isinstance(event, events.Key) and event.key == self._last and event.key in REPEATED
        return not self._ways or is_repeated

    async def _take(self, event: Doing) -> None:
        if not isinstance(event, events.Key | events.MouseDown | events.MouseUp):
            await super().on_event(event)
            return
        before, running, first = self.screen, self._openers(), self._first_to_hear(event)
        self._last = event.key if isinstance(event, events.Key) else ""
        if isinstance(event, events.Key) and await self._act(event.key):
            self._ways += 1
            self._home(before, running)
            return
        await super().on_event(event)
        if not _ends_there(event, first):
            self._ways += 1
            WayHome(first.ancestors_with_self, partial(self._home, before, running)).go_on()

    def _first_to_hear(self, event: events.Key | events.MouseEvent) -> Widget:
        """The part from which the event goes up to the app."""
        if not isinstance(event, events.MouseEvent):
            return self.focused or self.screen
        if self.mouse_captured is not None:
            return self.mouse_captured
        try:
            return self.get_widget_at(event.x, event.y)[0]
        except NoWidget:
            return self.screen

    def _home(self, before: Screen[Any], running: Set[Worker[Any]]) -> None:
        """All that a key set going is done, but for what a worker does, or a new screen has before it."""
        if self._is_settled(before, running):
            self.call_later(self._release)  # after a change of focus, which comes by the same queue
        else:
            self._awaiting = asyncio.create_task(self._follow(before, running))

    async def _follow(self, before: Screen[Any], running: Set[Worker[Any]]) -> None:
        """Waits until what a key began is done or has the focus, then lets the keys after it go."""
        loop = asyncio.get_running_loop()
        began_at = loop.time()
        while loop.time() - began_at < PATIENCE_S:
            if self._is_settled(before, running):
                break
            await asyncio.sleep(LOOK_S)
        self.call_later(self._release)

    def _is_settled(self, before: Screen[Any], running: Set[Worker[Any]]) -> bool:
        if not self.is_running:
            return True  # the app closes: there may be no screen any more
        if self.screen is before:
            return not self._openers() - running
        return self.screen.is_mounted and (self.screen.focused is not None or not self.screen.focus_chain)

    def _openers(self) -> frozenset[Worker[Any]]:
        return frozenset(one for one in self.workers if one.group in OPENERS and not one.is_finished)

    async def _release(self) -> None:
        self._ways -= 1
        while self._held and self._may_go(self._held[0]):
            await self._take(self._held.popleft())

    async def _act(self, key: str) -> bool:
        """Does what the key means in the list that has the focus; False: nothing, or it may mean more on its way up."""
        focused = self.focused
        if not self.app_focus or not isinstance(focused, Listing) or _is_met(focused, key):
            return False
        return await self._check_bindings(key, priority=True) or await self._check_bindings(key)


def _ends_there(event: events.Event, first: Widget) -> bool:
    """Whether an event that was handed to a part of the screen is about that part alone."""
    # A key that has precedence was handed to nobody: the app did at once what is bound to it, which may be anything.
    return isinstance(event, events.Key) and event.is_forwarded and isinstance(first, Typing) and first.keeps(event)


def _is_met(widget: Widget, key: str) -> bool:
    """Whether a widget or what is around it takes this key by a method of its own."""
    nodes = [node for node in widget.ancestors_with_self if not isinstance(node, App)]
    return any(hasattr(node, "on_key") or hasattr(node, f"key_{key}") for node in nodes)

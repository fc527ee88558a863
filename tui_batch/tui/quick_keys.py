"""An app whose lists act on a key as soon as it is read.

Textual hands a key to the focused widget and from there up to the app, which looks for its binding: a turn of the event
loop at every step, six in all. While an engine works on the same loop each turn takes some 10 ms.
"""

from __future__ import annotations

from typing import TypeVar

from textual import events
from textual.app import App
from textual.widget import Widget

from tui_batch.tui.widgets.item_table import ItemTable
from tui_batch.tui.widgets.table import Table

R = TypeVar("R")


class QuickKeys(App[R]):
    """Looks for the binding at once where a list has the focus; all else goes Textual's way."""

    async def on_event(self, event: events.Event) -> None:
        """A key that no list understands, and whatever is no key, is Textual's."""
        if not isinstance(event, events.Key) or event.is_forwarded or not await self._act(event.key):
            await super().on_event(event)

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

"""A field in which what is typed is done in the order it was typed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol, runtime_checkable

from textual import events
from textual.binding import Binding, BindingType
from textual.widget import Widget


@runtime_checkable
class Typing(Protocol):
    """A field: it writes what is typed as soon as it hears of it."""

    def keeps(self, event: events.Key) -> bool:
        """Whether a key is about the field alone, so that the next one is typed there too."""
        ...


def keys_of(bindings: Iterable[BindingType]) -> frozenset[str]:
    """The keys of a widget's own BINDINGS."""
    keys = (one.key if isinstance(one, Binding) else one[0] for one in bindings)
    return frozenset(key.strip() for several in keys for key in several.split(","))


async def own_key(field: Widget, event: events.Key) -> None:
    """For a field's `on_key`, before Textual's own: does here and now what a key means in the field itself.

    Textual writes a letter as soon as the field hears of it. A key that deletes or moves goes from the field up to the
    app first, which looks for its binding and does it: some turns of the loop later, when letters that were typed
    after it are long written. ctrl+u deleted them.
    """
    for binding in field._bindings.key_to_bindings.get(event.key, ()):
        if await field.app.run_action(binding.action, field):
            event.stop()
            event.prevent_default()  # Textual calls the handlers of all classes else
            return

"""A field in which what is typed is done in the order it was typed."""

from __future__ import annotations

from textual import events
from textual.widget import Widget


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

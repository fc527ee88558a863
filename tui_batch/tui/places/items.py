"""Place: Items."""

from __future__ import annotations

from tui_batch.tui.place import Place


class ItemsPlace(Place):
    """Items."""

    NAME = "items"
    TITLE = "Items"

"""What a click on a column's title does, by keys: a menu of what a list can be ordered by."""

from __future__ import annotations

from typing import Any

from tui_batch.tui.screens.menu import Choice, Menu, keys_for
from tui_batch.tui.widgets.table import Table

TITLE = "Order by (the same again: the other way round)"


async def ask_order(table: Table[Any]) -> None:
    """Asks, and says so as a click on the title would."""
    columns = [column for column in table.columns if column.sort is not None]
    now = table.sorted_by.removeprefix("-")
    keys = keys_for([column.title for column in columns])
    choices = [
        Choice(key, column.title, column.id, "now" if column.id == now else "")
        for key, column in zip(keys, columns, strict=True)
    ]
    at = next((place for place, column in enumerate(columns) if column.id == now), 0)
    chosen = await table.app.push_screen_wait(Menu(TITLE, choices, at=at))
    if chosen is not None:
        table.post_message(Table.Sorted(table, chosen))

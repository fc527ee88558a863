"""What the menus of the items list offer: orders and columns."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from tui_batch.domain.item_filter import SortKey
from tui_batch.tui.screens.menu import Choice
from tui_batch.tui.widgets.item_columns import ALWAYS, COLUMNS, columns_with, fields_of


def order_choices() -> list[Choice[SortKey]]:
    """Every column that can be ordered by; those whose first letter another has already get a digit."""
    taken: set[str] = {"j", "k"}  # they move in the menu
    found: list[Choice[SortKey]] = []
    keys = [column.sort for column in COLUMNS if column.sort is not None]
    for number, sort in enumerate(keys):
        key = sort.value[0] if sort.value[0] not in taken else str(number)
        taken.add(key)
        found.append(Choice(key, sort.value, sort))
    return found


def column_choices(shown: Collection[str], seen: Iterable[str]) -> list[Choice[str]]:
    """Every column that can be hidden, and the fields that answers have or that were chosen before."""
    fields = dict.fromkeys((*seen, *sorted(fields_of(shown))))
    offered = [column for column in columns_with(fields) if column.id not in ALWAYS]
    return [
        Choice(
            str(number % 10) if number <= 10 else "",
            f"{'■' if column.id in shown else '□'} {column.id if column.id not in _TITLED else column.title}",
            column.id,
        )
        for number, column in enumerate(offered, 1)
    ]


_TITLED = frozenset(column.id for column in COLUMNS)

"""What the menus of the items list offer: orders and columns."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from tui_batch.domain.item_filter import ItemOrder, SortKey
from tui_batch.tui.screens.menu import Choice
from tui_batch.tui.widgets.item_columns import ALWAYS, COLUMNS, FIELD, columns_with, fields_of


def order_choices(seen: Iterable[str]) -> list[Choice[ItemOrder]]:
    """Every column that can be ordered by, then the fields that answers have.

    A column whose first letter another has already gets its digit, fields get those that are left.
    """
    taken: set[str] = {"j", "k"}  # they move in the menu
    found: list[Choice[ItemOrder]] = []
    orders = [order for column in COLUMNS if (order := column.order) is not None]
    for number, order in enumerate(orders):
        key = str(order)[0] if str(order)[0] not in taken else str(number)
        taken.add(key)
        found.append(Choice(key, str(order), order))
    left = iter([digit for digit in "1234567890" if digit not in taken])
    return found + [Choice(next(left, ""), f"{FIELD}{name}", ItemOrder(SortKey.FIELD, field=name)) for name in seen]


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

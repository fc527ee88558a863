"""Which items of a job an export means."""

from __future__ import annotations

from dataclasses import dataclass

from tui_batch.domain.item import ItemState
from tui_batch.domain.item_filter import Choice, ItemFilter, OneOf

_ALL = ItemFilter()


@dataclass(frozen=True, slots=True)
class ItemScope:
    """Items that meet the filter and are among the ids. Nothing given: all items of the job."""

    filter: ItemFilter = _ALL
    ids: frozenset[int] | None = None
    """Ids of items, such as those marked by hand; None: whichever."""


EVERYTHING = ItemScope()
"""All items of a job."""


def in_states(*states: ItemState) -> ItemScope:
    """The items in one of these states."""
    return ItemScope(ItemFilter((OneOf(Choice.STATE, tuple(state.value for state in states)),)))

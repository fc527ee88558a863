"""Which items of a job an export means, or a verb over dead ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tui_batch.domain.item import ItemState
from tui_batch.domain.item_filter import Choice, ItemFilter, OneOf
from tui_batch.domain.outcome import OutcomeClass
from tui_batch.domain.request import Json

_ALL = ItemFilter()


@dataclass(frozen=True, slots=True)
class ItemScope:
    """Items that meet the filter and are among the ids. Nothing given: all items of the job."""

    filter: ItemFilter = _ALL
    ids: frozenset[int] | None = None
    """Ids of items, such as those marked by hand; None: whichever."""


@dataclass(frozen=True, slots=True)
class Selection:
    """Which dead items to retry or discard: those that meet every condition. Nothing named: all of them."""

    classes: frozenset[OutcomeClass] = frozenset()
    item_ids: tuple[int, ...] = ()
    custom_ids: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Json]:
        """For another process."""
        return {
            "classes": sorted(self.classes),
            "item_ids": list(self.item_ids),
            "custom_ids": list(self.custom_ids),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Json]) -> Selection:
        """Back from `as_json`."""
        classes = frozenset(OutcomeClass(name) for name in data.get("classes", ()))
        return cls(classes, tuple(data.get("item_ids", ())), tuple(data.get("custom_ids", ())))


ALL_DEAD = Selection()
EVERYTHING = ItemScope()
"""All items of a job."""


def in_states(*states: ItemState) -> ItemScope:
    """The items in one of these states."""
    return ItemScope(ItemFilter((OneOf(Choice.STATE, tuple(state.value for state in states)),)))

"""Which items an export may mean, in words. Apart from what writes them, which takes long to load."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tui_batch import figures
from tui_batch.domain.item import ItemState
from tui_batch.domain.item_scope import EVERYTHING, ItemScope, in_states
from tui_batch.domain.job import Counters


@dataclass(frozen=True, slots=True)
class NamedScope:
    """Items to export, in words."""

    label: str
    scope: ItemScope
    count: int | None
    """None: not counted."""
    options: tuple[str, ...] = ()
    """Of the command `export`."""
    detail: str = ""
    """Stands last, as it may be long."""

    def __str__(self) -> str:
        count = "" if self.count is None else f" ({figures.count(self.count)})"
        return f"{self.label}{count}{f': {self.detail}' if self.detail else ''}"


def usual_scopes(counters: Counters) -> tuple[NamedScope, ...]:
    """All items, and those of each state that there are."""
    found = [NamedScope("all items", EVERYTHING, counters.total)]
    states = (
        (ItemState.DONE, counters.done),
        (ItemState.DEAD, counters.dead),
        (ItemState.PENDING, counters.pending),
        (ItemState.CANCELLED, counters.cancelled),
    )
    for state, count in states:
        if 0 < count < counters.total:
            found.append(NamedScope(f"only {state.value}", in_states(state), count, ("--state", state.value)))
    return tuple(found)


def scopes_with(counters: Counters, more: Sequence[NamedScope]) -> tuple[NamedScope, ...]:
    """Scopes a caller adds come first: what is marked or filtered is what is meant."""
    return (*more, *usual_scopes(counters))

"""A row's own columns beside those that are added to it."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from tui_batch.domain.request import Json

RENAMED = "input_"
"""In front of the name of an own column that an added one has too."""


def own_columns(data: Mapping[str, Json], custom_id: str | None, added: Collection[str]) -> dict[str, Json]:
    """The row's own columns under names that no added one has.

    A `custom_id` that says the same as the added one is left out.
    """
    if data.keys().isdisjoint(added):
        return dict(data)
    taken = set(data) | set(added)
    columns: dict[str, Json] = {}
    for name, value in data.items():
        if name not in added:
            columns[name] = value
        elif name != "custom_id" or custom_id is None or str(value) != custom_id:
            columns[_free_name(name, taken)] = value
    return columns


def _free_name(name: str, taken: set[str]) -> str:
    new = RENAMED + name
    while new in taken:
        new = RENAMED + new
    taken.add(new)
    return new

"""Marking many rows: a range as long as the job is marked once, and going on costs only what the cursor passes."""

from __future__ import annotations

from pathlib import Path

import pytest
from app_bench import open_app, open_test_desk
from item_yard import Yard, add_letters

from tui_batch.tui.item_list import FEW, ItemList
from tui_batch.tui.places.items import ItemsPlace

ROWS = FEW + 500


async def test_a_range_marks_all_it_passes_and_each_key_only_what_is_new(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[int, int | None]] = []
    collect = ItemList.collect

    async def watched(self: ItemList, first: int = 0, last: int | None = None) -> object:
        asked.append((first, last))
        return await collect(self, first, last)

    monkeypatch.setattr(ItemList, "collect", watched)
    async with open_test_desk(tmp_path) as desk:
        await add_letters(desk.store, ["a letter"] * ROWS)
        async with open_app(desk, (80, 24)) as (app, pilot):
            yard = Yard(app, desk, pilot)
            await yard.press("2")
            place = app.query_one(ItemsPlace)
            await yard.until(lambda: place.table.cursor_row is not None, "rows")
            await yard.press("j", "v", "G")
            await yard.until(lambda: len(place.marked) == ROWS - 1, "all but the first, which was passed before")
            await yard.press("k", "k")
            await yard.until(lambda: place.table.cursor == ROWS - 3, "two up")
            await yard.until(lambda: len(asked) == 4, "a look for each key")
            assert asked[:2] == [(1, 2), (1, ROWS)]
            assert all(last is not None and last - first == 2 for first, last in asked[2:])
            await yard.press("u")
            await yard.until(lambda: not place.marked, "none")

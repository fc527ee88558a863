"""Lists of items: until the first rows of a list are known, until all are, and how long others wait meanwhile.

Run: python -m bench.lists [--items 1000000]
A database of finished items is made first. Goals: the first rows in 100 ms, whatever the list; no read of a page waits
longer than 50 ms behind a search.
"""

from __future__ import annotations

import argparse
import asyncio
import sqlite3
import statistics
import tempfile
import time
from contextlib import closing
from pathlib import Path

from bench.screen_child import make
from tui_batch.store.item_view import ItemQuery
from tui_batch.store.store import Store, open_store
from tui_batch.work.filter_words import parse_filter

FINISH = (
    """UPDATE item SET state = CASE WHEN seq % 100 = 7 THEN 'dead' ELSE 'done' END,
      outcome = CASE WHEN seq % 100 = 7 THEN 'timeout' ELSE 'ok' END, attempts = 1 + seq % 3, requests = 1,
      endpoint = 'simulator', model = 'gpt-4o-mini', tokens_in = 20 + seq % 50, tokens_out = seq % 40,
      cost_nano = (seq * 7919) % 1000003, latency_ms = (seq * 104729) % 5003, finished_at = 1000 + seq""",
    "INSERT INTO result(item_id, text) SELECT id, 'The answer to number ' || seq || ' is yes.' FROM item",
    "UPDATE job SET done = total - total / 100, dead = total / 100, pending = 0, state = 'completed'",
)
LISTS = ("", "state:dead", "attempts>2", "model:gpt latency>2s", '"number 999"', "nowhere-to-be-found")


async def measure(store: Store, query: ItemQuery, label: str) -> None:
    """One list, with another reader beside it."""
    waits: list[float] = []

    async def reader() -> None:
        while True:
            begun = time.perf_counter()
            await store.items.page(query.job_id, after=(5_000, -1), limit=40)
            waits.append(time.perf_counter() - begun)
            await asyncio.sleep(0.01)

    beside = asyncio.create_task(reader())
    begun = time.perf_counter()
    first, count = 0.0, 0
    async for piece in store.search.find(query):
        first = first or (time.perf_counter() - begun if piece.ids else 0.0)
        count = len(piece.ids) if piece.anew else count + len(piece.ids)
    took = time.perf_counter() - begun
    beside.cancel()
    worst = f"{max(waits) * 1000:4.0f} ms" if waits else "-"
    print(
        f"{label:32} first {first * 1000:5.0f} ms, all {took * 1000:6.0f} ms, {count:9,} items; "
        f"a page meanwhile {statistics.median(waits or [0]) * 1000:3.0f} ms, worst {worst}"
    )


async def main(items: int) -> None:
    """Makes the database and measures every list."""
    from tui_batch.domain.item_filter import ItemOrder, SortKey

    with tempfile.TemporaryDirectory(prefix="bench-lists-") as folder:
        db = Path(folder) / "jobs.db"
        await make(db, items, 1)
        with closing(sqlite3.connect(db)) as conn, conn:
            for statement in FINISH:
                conn.execute(statement)
        async with open_store(db) as store:
            for text in LISTS:
                await measure(store, ItemQuery(1, parse_filter(text)), text or "(all)")
            for key in (SortKey.COST, SortKey.STATE):
                await measure(store, ItemQuery(1, order=ItemOrder(key, True)), f"by {key.value}")
            begun = time.perf_counter()
            groups = await store.items.errors(1)
            print(f"error groups: {len(groups)} in {(time.perf_counter() - begun) * 1000:.0f} ms")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, default=1_000_000)
    asyncio.run(main(parser.parse_args().items))

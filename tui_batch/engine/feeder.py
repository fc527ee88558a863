"""Fills a running job's queue from the store, a page at a time, so that a million rows never sit in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from itertools import islice

from tui_batch.domain.item import CachedResponse, ItemRecord, ItemState, PendingItem
from tui_batch.engine.jobrun import PAGE_BYTES, PAGE_ITEMS, JobRun
from tui_batch.engine.landing import Landing
from tui_batch.engine.patience import persistently
from tui_batch.engine.queue import Prepared
from tui_batch.store.store import Store

JUDGE_PAGE = 100
"""Answers read at once to be judged."""


class Feeder:
    """Reads, prepares and looks up items of one job until the store has no more."""

    def __init__(
        self,
        run: JobRun,
        store: Store,
        landing: Landing,
        *,
        open_lanes: Callable[[list[Prepared]], Awaitable[None]],
        moved: Callable[[], None],
        say: Callable[[str | None], None],
        clock: Callable[[], float],
    ) -> None:
        self._run = run
        self._store = store
        self._landing = landing
        self._open_lanes = open_lanes
        self._moved = moved
        self._say = say
        self._clock = clock
        self._after: tuple[int, int, int] | None = None
        self._rewinds = 0
        self._committed: set[int] = set()
        """Ids released while a page was being read: the page may still show them as pending."""
        self._reading = False

    def rewind(self) -> None:
        """Starts again from the first pending item: some became pending behind the cursor."""
        self._after = None
        self._rewinds += 1
        self._run.exhausted = False
        self._run.hungry.set()

    def committed(self, records: list[ItemRecord]) -> None:
        """Outcomes of this job are on disk: memory is no longer responsible for items that are settled."""
        run = self._run
        answered = [record.item_id for record in records if record.item_id in run.storing and record.judging]
        run.storing.difference_update(answered)
        run.unjudged.extend(answered)
        if answered:
            run.hungry.set()
        settled = [record.item_id for record in records if record.state is not ItemState.PENDING]
        self._run.claimed.difference_update(settled)
        if self._reading:
            self._committed.update(settled)

    async def feed(self) -> None:
        """Runs for as long as the job does."""
        run = self._run
        loop = asyncio.get_running_loop()
        while True:
            await run.hungry.wait()
            if not run.wants_more():
                run.hungry.clear()
                continue
            await self._backpressure()
            # Taken once: while the disk refuses, more come, and they would be read with these and then once more.
            waiting = list(islice(run.unjudged, JUDGE_PAGE))
            page = await persistently(partial(self._answered, waiting) if waiting else self._page, self._say)
            ready, dead = await loop.run_in_executor(None, run.preparer.prepare, page)
            for entry in dead:
                self._landing.unsendable(run, entry)
            await self._open_lanes(ready)
            now = self._clock()
            await self._enqueue(ready, {item.id: item.waits_s(now) for item in page})
            for _ in waiting:
                run.unjudged.popleft()
            self._moved()

    async def _page(self) -> list[PendingItem]:
        """The next pending items that memory does not already hold."""
        run = self._run
        self._reading = True
        self._committed.clear()
        rewinds = self._rewinds
        try:
            page = await self._store.items.pending_page(
                run.id, after=self._after, among=run.trial, limit=PAGE_ITEMS, max_bytes=PAGE_BYTES
            )
        finally:
            self._reading = False
        if self._rewinds == rewinds:
            if page:
                last = page[-1]
                self._after = (last.priority, last.seq, last.variant)
            else:
                run.exhausted = True
        fresh = [item for item in page if item.id not in run.claimed and item.id not in self._committed]
        run.claimed.update(item.id for item in fresh)
        return fresh

    async def _answered(self, ids: list[int]) -> list[PendingItem]:
        """These items, whose answers are on the disk, for their judge. They are claimed already."""
        run = self._run
        page = await self._store.items.unjudged(run.id, ids)
        # What could not be stored, or was settled by a verb meanwhile, is the store's again.
        run.claimed.difference_update(set(ids) - {item.id for item in page})
        return page

    async def _enqueue(self, ready: list[Prepared], waits_s: dict[int, float]) -> None:
        run = self._run
        answers: dict[bytes, CachedResponse] = {}
        if run.uses_cache and ready:
            keys = [call.cache_key for item in ready for call in item.calls]
            answers = await persistently(lambda: self._store.cache.lookup_many(keys), self._say)
        now = asyncio.get_running_loop().time()
        for item in ready:
            answer = next((answers[call.cache_key] for call in item.calls if call.cache_key in answers), None)
            if answer is not None and self._landing.hit(run, item, answer):
                continue
            if (wait := waits_s[item.id]) > 0:
                run.queue.wait(item, now + wait)
            else:
                run.queue.push(item)

    async def _backpressure(self) -> None:
        """Outcomes made while preparing (hits, rows that cannot be sent) must not outrun the disk."""
        writer = self._store.writer
        if writer.backlog > 4 * PAGE_ITEMS:
            await writer.drain()

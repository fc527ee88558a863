"""Keeps what is learned about models in the database, off the hot path."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

from tui_batch.money.tokens import TokenEstimator
from tui_batch.store.connection import StoreTrouble
from tui_batch.store.store import Store

EVERY_S = 5.0
"""How often what is new is written; it is a row for a model."""


@asynccontextmanager
async def experienced(store: Store, clock: Callable[[], float]) -> AsyncIterator[TokenEstimator]:
    """An estimator that knows what was learned before; what it learns is written now and then, and at the end."""
    estimator = TokenEstimator(await store.calibration.load())
    keeping = asyncio.create_task(_keep(store, estimator, clock), name="keep what is learned")
    try:
        yield estimator
    finally:
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)
        with suppress(StoreTrouble):  # it will be learned again
            await _write(store, estimator, clock())


async def _keep(store: Store, estimator: TokenEstimator, clock: Callable[[], float]) -> None:
    while True:
        await asyncio.sleep(EVERY_S)
        with suppress(StoreTrouble):  # the writer says so on the screen; the next round tries again
            await _write(store, estimator, clock())


async def _write(store: Store, estimator: TokenEstimator, now: float) -> None:
    fresh = estimator.take_fresh()
    try:
        await store.calibration.save(fresh, now)
    except BaseException:
        estimator.put_back(fresh)
        raise

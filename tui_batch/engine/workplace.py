"""Puts a process's engine together: store, executor, engine, controller and keeper over one database."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tui_batch.domain.endpoint import Deployment, Endpoint, KeyKind
from tui_batch.engine.control import Controller
from tui_batch.engine.courtesy import ALONE_S
from tui_batch.engine.engine import Engine
from tui_batch.engine.executor import HttpExecutor
from tui_batch.engine.experience import experienced
from tui_batch.engine.keeper import Keeper
from tui_batch.engine.lease import USUAL, LeaseTimes
from tui_batch.engine.owners import is_alive, this_process
from tui_batch.engine.surroundings import Surroundings
from tui_batch.engine.windows import Windows
from tui_batch.money.prices import lookup
from tui_batch.money.vocabulary import in_background
from tui_batch.providers.base import Transport
from tui_batch.providers.keys import resolve_key
from tui_batch.providers.registry import provider_for
from tui_batch.providers.windows import ask_window
from tui_batch.settings import Settings
from tui_batch.store.store import Store, open_store


@dataclass(frozen=True, slots=True)
class Workplace:
    """What a process that runs jobs works with."""

    store: Store
    engine: Engine
    controller: Controller


@asynccontextmanager
async def open_workplace(
    db: Path,
    transport: Transport,
    settings: Settings | None = None,
    *,
    lease: LeaseTimes = USUAL,
    turn_s: float = ALONE_S,
) -> AsyncIterator[Workplace]:
    """Opens the database and starts an idle engine on it, as `staffed` does. Without settings: the usual ones."""
    async with (
        open_store(db) as store,
        staffed(store, transport, settings or Settings(), lease=lease, turn_s=turn_s) as workplace,
    ):
        yield workplace


@asynccontextmanager
async def staffed(
    store: Store, transport: Transport, settings: Settings, *, lease: LeaseTimes = USUAL, turn_s: float = ALONE_S
) -> AsyncIterator[Workplace]:
    """Starts an idle engine on an open database. On leaving, what is in flight is cancelled.

    `turn_s`: what a turn of the loop may cost.
    Of the settings it goes by the person's own prices, which win over the published ones, by their context windows,
    and by what all jobs together may spend on a day.
    """
    clock = time.time
    async with experienced(store, clock) as estimator:
        executor = HttpExecutor(transport, clock=clock)

        def register(deployment: Deployment) -> None:
            executor.register(deployment, secret_of(deployment.endpoint))
            if not estimator.counts_exactly(deployment.model):
                in_background(deployment.endpoint, deployment.model, partial(estimator.use_counter, deployment.model))

        async def ask(endpoint: Endpoint, model: str) -> int | None:
            secret = await asyncio.to_thread(secret_of, endpoint)
            return await ask_window(endpoint, model, transport, secret)

        known = Windows(settings.windows, ask)
        prices_for = partial(lookup, own=settings.prices)
        around = Surroundings(
            provider_for,
            register,
            prices_for,
            clock,
            random.Random(),
            window_for=known.of,
            learn_window=known.learn,
            day_budget_nano=settings.day_budget_nano,
            turn_s=turn_s,
            lease_s=lease.expiry_s,
        )
        async with Engine(store, executor, this_process(), around, estimator) as engine:
            controller = Controller(store, engine, clock=clock, alive=is_alive, lease_s=lease.expiry_s)
            async with Keeper(store, engine, controller, clock=clock, lease=lease):
                yield Workplace(store, engine, controller)


def secret_of(endpoint: Endpoint) -> str | None:
    """The endpoint's key; None when it needs none. Raises UserError naming the variable that is not set. May block."""
    return None if endpoint.key.kind is KeyKind.NONE else resolve_key(endpoint.key)

"""Opens the app over a database, and closes the engine well whatever ends it."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass

from tui_batch import paths
from tui_batch.engine.workplace import open_workplace
from tui_batch.settings import Settings, load_settings
from tui_batch.tui.app import BatchApp
from tui_batch.tui.desk import Desk
from tui_batch.work.place import Where
from tui_batch.work.transports import make_transport


@dataclass(frozen=True, slots=True)
class Opening:
    """How the app is opened."""

    where: Where
    settings: Settings
    faults: str = ""
    """For the simulator."""
    is_demo: bool = False


@asynccontextmanager
async def open_desk(opening: Opening) -> AsyncIterator[Desk]:
    """An open database with an idle engine on it."""
    settings = opening.settings
    async with (
        aclosing(make_transport(settings.ca_file, opening.faults)) as transport,
        open_workplace(opening.where.db, transport, prices=settings.prices) as workplace,
    ):
        yield Desk(workplace, settings, opening.where, transport, paths.state_dir(), time.time, opening.is_demo)


async def run_app(where: Where) -> None:
    """The app over a person's database, until they leave it."""
    opening = Opening(where, load_settings(where.settings))
    async with open_desk(opening) as desk:
        await BatchApp(desk).run_async()

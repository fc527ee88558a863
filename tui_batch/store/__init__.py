"""Jobs, items, results, cache and log in one SQLite file. Start at open_store."""

from __future__ import annotations

from tui_batch.store.cache import Cache
from tui_batch.store.commands import Commands
from tui_batch.store.connection import StoreTrouble
from tui_batch.store.events import Events
from tui_batch.store.importer import Importer
from tui_batch.store.items import Items
from tui_batch.store.jobs import Jobs
from tui_batch.store.leases import may_be_alive
from tui_batch.store.store import Store, open_store
from tui_batch.store.writer import Writer

__all__ = [
    "Cache",
    "Commands",
    "Events",
    "Importer",
    "Items",
    "Jobs",
    "Store",
    "StoreTrouble",
    "Writer",
    "may_be_alive",
    "open_store",
]

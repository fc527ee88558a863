"""What the app's parts act through."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from tui_batch.engine.control import Controller
from tui_batch.engine.engine import Engine
from tui_batch.engine.workplace import Workplace
from tui_batch.settings import Settings
from tui_batch.store.store import Store
from tui_batch.work.place import Where
from tui_batch.work.transports import RoutingTransport


class Wish(Enum):
    """What a person wants after the app."""

    DEMO = "demo"


@dataclass(frozen=True, slots=True)
class Desk:
    """An open database with an engine on it, and what a person has set up."""

    workplace: Workplace
    settings: Settings
    where: Where
    """The files in use, for commands to paste."""
    transport: RoutingTransport
    state_dir: Path
    """Where what the app remembers is kept."""
    clock: Callable[[], float]
    """Unix time."""
    is_demo: bool = False
    """A temporary database, and only the simulator answers."""

    @property
    def store(self) -> Store:
        """For reading. Changes go through the controller."""
        return self.workplace.store

    @property
    def engine(self) -> Engine:
        """For snapshots."""
        return self.workplace.engine

    @property
    def controller(self) -> Controller:
        """Every verb over jobs."""
        return self.workplace.controller

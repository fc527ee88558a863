"""What the app's parts act through."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING

from tui_batch.engine.snapshot import EngineSnapshot
from tui_batch.settings import Settings
from tui_batch.store.store import Store
from tui_batch.work.place import Where
from tui_batch.work.transports import RoutingTransport

if TYPE_CHECKING:
    from tui_batch.engine.control import Controller
    from tui_batch.engine.engine import Engine
    from tui_batch.engine.workplace import Workplace


class Wish(Enum):
    """What a person wants after the app."""

    DEMO = "demo"


@dataclass(slots=True)
class Desk:
    """An open database, what a person has set up, and an engine on it once the list of jobs is drawn.

    Loading and starting the engine takes as long as all that comes before it, so nobody waits for it to see their jobs.
    """

    store: Store
    """For reading. Changes go through the controller."""
    settings: Settings
    where: Where
    """The files in use, for commands to paste."""
    transport: RoutingTransport
    state_dir: Path
    """Where what the app remembers is kept."""
    clock: Callable[[], float]
    """Unix time."""
    hire: Callable[[Desk], Awaitable[Workplace]]
    """Starts the engine; whoever made the desk ends it."""
    is_demo: bool = False
    """A temporary database, and only the simulator answers."""
    workplace: Workplace | None = None
    """None until the app is at work."""

    async def get_to_work(self) -> None:
        """Starts the engine where none runs yet."""
        if self.workplace is None:
            self.workplace = await self.hire(self)

    @property
    def is_preparing(self) -> bool:
        """Whether a demo's job is still being made."""
        return self.is_demo and self.workplace is None

    def snapshot(self) -> EngineSnapshot:
        """The engine as it is this moment; empty while it does not run."""
        return EngineSnapshot((), (), "") if self.workplace is None else self.workplace.engine.snapshot()

    @property
    def engine(self) -> Engine:
        """The one that runs jobs here."""
        assert self.workplace is not None, "the engine does not run yet"
        return self.workplace.engine

    @property
    def controller(self) -> Controller:
        """Every verb over jobs."""
        assert self.workplace is not None, "the engine does not run yet"
        return self.workplace.controller

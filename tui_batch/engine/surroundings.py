"""What the engine is given from outside."""

from __future__ import annotations

import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from tui_batch.domain.endpoint import Api, Deployment, Endpoint
from tui_batch.engine.courtesy import ALONE_S, turn_clock
from tui_batch.engine.lease import LEASE_S
from tui_batch.money.prices import UnitPrices
from tui_batch.providers.base import Provider


async def no_window(_deployment: Deployment) -> None:
    """Nobody is asked."""


@dataclass(frozen=True)
class Surroundings:
    """What the engine is given from outside, so that tests can give something else."""

    provider_for: Callable[[Api], Provider]
    register: Callable[[Deployment], None]
    """Makes a deployment known to the executor, with its secret. May block; raises UserError without a key."""
    prices_for: Callable[[Endpoint, str], UnitPrices | None]
    """Unit prices of a model on an endpoint. May block."""
    clock: Callable[[], float] = time.time
    rng: random.Random = field(default_factory=random.Random)
    window_for: Callable[[Endpoint, str], int | None] = lambda _endpoint, _model: None
    """The context window of a model in tokens, as far as it is known. May block."""
    learn_window: Callable[[Deployment], Awaitable[None]] = no_window
    """Asks a server for it where nobody else says. Takes a moment at most."""
    day_budget_nano: int | None = None
    """What all jobs together may spend on a day (UTC); None: no cap."""
    turn_s: float = ALONE_S
    """What a turn of the loop may cost: less in flight than asked for where it costs more (see courtesy)."""
    turn_clock: Callable[[], float] = turn_clock
    """What it is measured with, in seconds."""
    lease_s: float = LEASE_S
    """After so long without a heartbeat another process may take this one's jobs: nothing is sent any more."""

    def is_priced(self, endpoint: Endpoint, model: str) -> bool:
        """Whether a model's requests cost anything that is known. May block."""
        return self.prices_for(endpoint, model) is not None

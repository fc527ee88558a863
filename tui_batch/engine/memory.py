"""Limits that servers taught are kept from one process to the next, off the hot path.

They are beliefs: the first header overrules them, a refusal lowers them, and more is tried where nothing is refused.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from dataclasses import replace
from hashlib import blake2b

from tui_batch.domain.endpoint import Deployment, DeploymentKey, Endpoint
from tui_batch.domain.learned import LearnedLimits
from tui_batch.engine.lane import Lane
from tui_batch.store.connection import StoreTrouble
from tui_batch.store.limits import LearnedLimitTable

EVERY_S = 2.0
"""At most so often is written what is new; it is a row for a deployment."""


class LimitsMemory:
    """Reads what was learned before, and writes what is learned. Belongs to the loop's thread."""

    def __init__(
        self, table: LearnedLimitTable, lanes: Mapping[DeploymentKey, Lane], clock: Callable[[], float]
    ) -> None:
        """`clock`: Unix time."""
        self._table = table
        self._lanes = lanes
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._written: dict[DeploymentKey, LearnedLimits | None] = {}
        self._next_at = float("-inf")
        self._writing = asyncio.Lock()

    async def of(self, deployment: Deployment) -> LearnedLimits | None:
        """What is known about a deployment, `at` in Unix time."""
        known = await self._table.of(deployment.key, server_of(deployment.endpoint))
        self._written[deployment.key] = known
        return known

    def note(self) -> Coroutine[None, None, None] | None:
        """Something may have been learned: what writes it, or None as long as the last time is not EVERY_S ago."""
        now = self._loop.time()
        if now < self._next_at:
            return None
        self._next_at = now + EVERY_S
        return self.write()

    async def write(self) -> None:
        """Writes what is new. Where the disk refuses it is tried again later: the writer says so on the screen."""
        async with self._writing:
            await self._write()

    async def _write(self) -> None:
        with suppress(StoreTrouble):
            for key, lane in list(self._lanes.items()):
                learned = lane.limiter.learned
                if learned != self._written.get(key):
                    ago_s = 0.0 if learned is None else self._loop.time() - learned.at
                    kept = None if learned is None else replace(learned, at=self._clock() - ago_s)
                    await self._table.save(key, server_of(lane.deployment.endpoint), kept)
                    self._written[key] = learned


def server_of(endpoint: Endpoint) -> str:
    """Tells a server, and the place its key comes from, from others of the same name; it says nothing about either."""
    words = repr((endpoint.api, endpoint.base_url, endpoint.key, endpoint.headers))
    return blake2b(words.encode(), digest_size=8).hexdigest()

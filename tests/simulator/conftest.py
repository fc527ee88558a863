"""A clock that tests turn by hand, and short ways to ask a simulator something."""

from __future__ import annotations

import asyncio
import heapq
import itertools
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import pytest

from tui_batch.simulator.clock import Clock
from tui_batch.simulator.core import Simulator
from tui_batch.simulator.wire import SimRequest, SimResponse

_TURNS = 20
"""Rounds of the event loop after which everything that can go on without time passing has gone on."""


class TurnedClock:
    """Time stands still until every task waits; then it jumps to the next one that is due."""

    def __init__(self) -> None:
        self.time = 1000.0
        self._order = itertools.count()
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []

    def clock(self) -> Clock:
        return Clock(now=lambda: self.time, wall=lambda: 1_700_000_000.0 + self.time, sleep=self.sleep)

    async def sleep(self, seconds: float) -> None:
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self.time + seconds, next(self._order), turn))
        await turn

    async def run(self, *work: Awaitable[Any]) -> list[Any]:
        """Runs everything to its end, jumping over the waits."""
        tasks = [asyncio.ensure_future(one) for one in work]
        while True:
            for _ in range(_TURNS):
                await asyncio.sleep(0)
            if all(task.done() for task in tasks):
                return [task.result() for task in tasks]
            due, _, turn = heapq.heappop(self._sleepers)
            self.time = max(self.time, due)
            if not turn.done():
                turn.set_result(None)


@pytest.fixture
def turned() -> TurnedClock:
    return TurnedClock()


Ask = Callable[..., Awaitable[SimResponse]]


async def _post(simulator: Simulator, path: str, body: Any, headers: Mapping[str, str] | None = None) -> SimResponse:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return await simulator.handle(SimRequest("POST", path, headers or {}, data))


@pytest.fixture
def post() -> Ask:
    """POSTs a body to a simulator: `await post(simulator, path, body)`."""
    return _post


@pytest.fixture
def chat(post: Ask) -> Ask:
    """A chat in OpenAI's format: `await chat(simulator, "text", max_tokens=5)`."""

    async def ask(simulator: Simulator, prompt: str = "Tell me about the sea", **fields: Any) -> SimResponse:
        body = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": prompt}], **fields}
        return await post(simulator, "/v1/chat/completions", body)

    return ask

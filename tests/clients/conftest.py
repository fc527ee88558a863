"""A simulator on a port for the official clients. They take seconds to import, so only tests that run do it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import pytest

from tui_batch.simulator.config import SimulatorConfig
from tui_batch.simulator.faults import parse_faults
from tui_batch.simulator.server import Server, serve

Serving = Callable[..., AbstractAsyncContextManager[Server]]


@pytest.fixture
def serving() -> Serving:
    """`async with serving("500=1", rpm=2) as server`."""

    @asynccontextmanager
    async def start(faults: str = "", **fields: Any) -> AsyncIterator[Server]:
        config = SimulatorConfig(faults=parse_faults(faults), fault_retry_after_s=0.01, **fields)
        async with serve(config) as server:
            yield server

    return start

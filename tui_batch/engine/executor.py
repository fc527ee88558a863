"""The seam behind admission: one request in, one outcome out, both plain serialisable values.

Today it is local HTTP. Provider batches and workers on other machines come in behind the same protocol;
admission, decisions, money and the store stay with the job's owner.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol

from tui_batch.domain.endpoint import Deployment, DeploymentKey
from tui_batch.domain.outcome import Outcome
from tui_batch.domain.request import WireRequest
from tui_batch.providers.base import Transport
from tui_batch.providers.client import EndpointClient


class Executor(Protocol):
    """Makes one request and says what came of it. Never raises but for cancellation."""

    async def execute(self, request: WireRequest) -> Outcome:
        """Sends the request, waits for the answer within its timeouts."""
        ...


class HttpExecutor:
    """Sends requests from this process. Secrets are added here, at the very edge, and live nowhere else."""

    def __init__(self, transport: Transport, *, clock: Callable[[], float] = time.time) -> None:
        self._transport = transport
        self._clock = clock
        self._clients: dict[DeploymentKey, EndpointClient] = {}

    def register(self, deployment: Deployment, secret: str | None) -> None:
        """Makes a deployment reachable; `secret` is its endpoint's key, or None."""
        self._clients[deployment.key] = EndpointClient(self._transport, deployment.endpoint, secret, clock=self._clock)

    async def execute(self, request: WireRequest) -> Outcome:
        """Sends the request to its deployment's endpoint."""
        return await self._clients[request.deployment].send(request)

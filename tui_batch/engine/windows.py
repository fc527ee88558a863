"""Context windows: a person's own word, then what is published, then what the server says."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from urllib.parse import urlsplit

from tui_batch.domain.endpoint import SIMULATED, Deployment, DeploymentKey, Endpoint
from tui_batch.money.prices import OwnWindow, context_window, is_private

TELLING = "openrouter.ai"
"""A host that tells the windows of models which nobody else publishes."""
Ask = Callable[[Endpoint, str], Awaitable[int | None]]
"""Asks a server for the window of a model. Never raises; takes a moment at most."""


class Windows:
    """Knows them for all deployments of a process. `of` may be called in any thread."""

    def __init__(self, own: Sequence[OwnWindow], ask: Ask) -> None:
        self._own = tuple(own)
        self._ask = ask
        self._told: dict[DeploymentKey, int | None] = {}

    def of(self, endpoint: Endpoint, model: str) -> int | None:
        """Tokens, as far as is known by now. May block for the table of published ones."""
        known = context_window(endpoint, model, self._own)
        return known if known is not None else self._told.get(DeploymentKey(endpoint.name, model))

    async def learn(self, deployment: Deployment) -> None:
        """Asks the server, once, where nobody else says: one of one's own, or OpenRouter, which serves many models."""
        endpoint, key = deployment.endpoint, deployment.key
        if key in self._told or not _tells(endpoint):
            return
        known = await asyncio.to_thread(self.of, endpoint, key.model)  # the first look loads the table
        if known is not None or key in self._told:
            return
        self._told[key] = None
        self._told[key] = await self._ask(endpoint, key.model)


def _tells(endpoint: Endpoint) -> bool:
    host = urlsplit(endpoint.base_url).hostname or ""
    return not endpoint.base_url.startswith(SIMULATED) and (host == TELLING or is_private(host))

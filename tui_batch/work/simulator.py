"""The built-in simulator as an endpoint. By itself, as the demo needs no more of it and has to be quick."""

from __future__ import annotations

from tui_batch.domain.endpoint import SIMULATED, Api, Endpoint

NAME = "simulator"
BASE = f"{SIMULATED}local"
"""The address is part of the cache's key, so made-up answers never meet real ones."""


def simulator_endpoint() -> Endpoint:
    """The simulator as an endpoint like any other, in OpenAI's wire format."""
    return Endpoint(NAME, Api.OPENAI, f"{BASE}/v1")

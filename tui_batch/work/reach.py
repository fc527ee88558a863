"""Which endpoints there are, and which models they serve."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path

from tui_batch import figures
from tui_batch.domain.endpoint import Endpoint
from tui_batch.engine.compose import named_endpoint
from tui_batch.errors import UserError
from tui_batch.providers.base import ModelInfo, Transport
from tui_batch.providers.catalog import CATALOG, from_url, in_environment, known
from tui_batch.providers.discovery import find_local_servers, list_models
from tui_batch.providers.keys import is_available, resolve_key
from tui_batch.settings import Settings, load_settings
from tui_batch.work.transports import make_transport


@dataclass(frozen=True, slots=True)
class Listing:
    """An endpoint with the models it serves, or why it does not say."""

    endpoint: Endpoint
    models: tuple[ModelInfo, ...] = ()
    trouble: str = ""


@dataclass(frozen=True, slots=True)
class Reachable:
    """An endpoint as `endpoints` shows it."""

    endpoint: Endpoint
    status: str
    """ready, running, key missing or not running."""
    origin: str
    """settings or known."""


async def list_everything(settings_file: Path | None, name: str | None, base_url: str | None) -> list[Listing]:
    """The models of the one endpoint named, or else of all that have a key or run on this machine."""
    settings = await asyncio.to_thread(load_settings, settings_file)
    async with aclosing(make_transport(settings.ca_file, "")) as transport:
        if base_url is not None:
            return [await listing(from_url(base_url), transport)]
        if name is not None:
            return [await listing(named_endpoint(name, settings), transport)]
        return await _everywhere(settings, transport)


async def _everywhere(settings: Settings, transport: Transport) -> list[Listing]:
    own = {endpoint.name for endpoint in settings.endpoints}
    hosted = [endpoint for entry in in_environment() if (endpoint := known(entry.name)) and entry.name not in own]
    asked = asyncio.gather(*(listing(endpoint, transport) for endpoint in (*settings.endpoints, *hosted)))
    found = await find_local_servers(transport)
    local = [Listing(server.endpoint, server.models) for server in found if server.endpoint.name not in own]
    return [*await asked, *local]


async def listing(endpoint: Endpoint, transport: Transport) -> Listing:
    """The models of one endpoint, or why there are none to see."""
    try:
        secret = await asyncio.to_thread(resolve_key, endpoint.key)
        return Listing(endpoint, await list_models(endpoint, transport, secret))
    except UserError as error:
        return Listing(endpoint, trouble=str(error))


@dataclass(frozen=True, slots=True)
class Trial:
    """What an endpoint said when it was asked for its models: nobody is paid for that."""

    seconds: float
    """From asking to the answer, or to giving up."""
    models: tuple[str, ...] = ()
    trouble: str = ""
    """Why it did not say, in its own words where it has some; empty when it answered."""

    def __str__(self) -> str:
        """In words."""
        if self.trouble:
            return ". ".join(line.rstrip(".") for line in self.trouble.splitlines())
        served = f"serves {figures.things(len(self.models), 'model')}" if self.models else "names no models"
        return f"answered in {self.seconds:.2f} s, {served}"


async def try_endpoint(
    endpoint: Endpoint, transport: Transport, clock: Callable[[], float] = time.perf_counter
) -> Trial:
    """Asks an endpoint for its models, with its key. Never raises for what it says."""
    started = clock()
    told = await listing(endpoint, transport)
    return Trial(clock() - started, tuple(model.id for model in told.models), told.trouble)


async def all_endpoints(settings_file: Path | None) -> list[Reachable]:
    """Settings first, then the known providers."""
    settings = await asyncio.to_thread(load_settings, settings_file)
    async with aclosing(make_transport(settings.ca_file, "")) as transport:
        return await reachable(settings, transport)


async def reachable(settings: Settings, transport: Transport) -> list[Reachable]:
    """Every endpoint there is: those of the settings first, then the known providers."""
    running = {server.endpoint.name for server in await find_local_servers(transport)}
    return await asyncio.to_thread(_with_status, settings, running)


def _with_status(settings: Settings, running: set[str]) -> list[Reachable]:
    """Looks for keys, which may block."""
    own = [Reachable(one, _key_status(one), "settings") for one in settings.endpoints]
    taken = {one.endpoint.name for one in own}
    for entry in CATALOG:
        endpoint = known(entry.name)
        if endpoint is None or entry.name in taken:
            continue
        local = "running" if entry.name in running else "not running"
        own.append(Reachable(endpoint, local if entry.is_local else _key_status(endpoint), "known"))
    return own


def _key_status(endpoint: Endpoint) -> str:
    return "ready" if is_available(endpoint.key) else "key missing"

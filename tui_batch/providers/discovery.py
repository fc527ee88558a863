"""Which servers run on this machine, and which models an endpoint serves."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from tui_batch.domain.endpoint import Endpoint, Operation
from tui_batch.domain.request import Timeouts
from tui_batch.errors import UserError
from tui_batch.providers.base import HttpRequest, ModelInfo, Transport, TransportFailure, TransportTimeout
from tui_batch.providers.catalog import CATALOG, known
from tui_batch.providers.client import request_headers
from tui_batch.providers.redact import clean_message
from tui_batch.providers.registry import provider_for

PROBE = Timeouts(connect_s=0.5, total_s=1.0)
"""A server on this machine answers at once or is not there."""
LISTING = Timeouts(connect_s=10.0, total_s=20.0)


@dataclass(frozen=True, slots=True)
class FoundServer:
    """A server that answered, with what it serves."""

    endpoint: Endpoint
    models: tuple[ModelInfo, ...]


async def list_models(
    endpoint: Endpoint, transport: Transport, secret: str | None = None, timeouts: Timeouts = LISTING
) -> tuple[ModelInfo, ...]:
    """The models an endpoint says it serves. Raises UserError in the server's words when it does not say."""
    provider = provider_for(endpoint.api)
    request = HttpRequest(
        "GET", endpoint.base_url + provider.models_path, request_headers(provider, endpoint, secret), None, timeouts
    )
    try:
        response = await transport.send(request)
    except (TransportTimeout, TransportFailure) as error:
        raise UserError(f"{endpoint.name} ({endpoint.base_url}): {clean_message(str(error), secret)}") from None
    if not 200 <= response.status < 300:
        words = clean_message(provider.decode(Operation.CHAT, response).message, secret)
        raise UserError(f"{endpoint.name} ({endpoint.base_url}) answered {response.status}: {words}")
    try:
        return provider.decode_models(response)
    except ValueError as error:
        raise UserError(f"{endpoint.name} ({endpoint.base_url}): {error}") from None


async def find_local_servers(transport: Transport) -> tuple[FoundServer, ...]:
    """Asks the usual local ports, all at once; takes about a second at most."""
    local = [endpoint for entry in CATALOG if entry.is_local and (endpoint := known(entry.name)) is not None]
    return tuple(found for found in await asyncio.gather(*(_probe(one, transport) for one in local)) if found)


async def _probe(endpoint: Endpoint, transport: Transport) -> FoundServer | None:
    try:
        return FoundServer(endpoint, await list_models(endpoint, transport, timeouts=PROBE))
    except UserError:
        return None

"""Which servers run on this machine, and which models an endpoint serves."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace

from tui_batch.domain.endpoint import Api, Endpoint, KeyKind, Operation
from tui_batch.domain.request import Timeouts
from tui_batch.errors import UserError
from tui_batch.figures import listed
from tui_batch.providers.base import HttpRequest, ModelInfo, Transport, TransportFailure, TransportTimeout
from tui_batch.providers.catalog import CATALOG, known
from tui_batch.providers.client import request_headers
from tui_batch.providers.redact import clean_message, masked
from tui_batch.providers.registry import provider_for

PROBE = Timeouts(connect_s=0.5, total_s=1.0)
"""A server on this machine answers at once or is not there."""
LISTING = Timeouts(connect_s=10.0, total_s=20.0)


_UNREACHED = "See that the server runs, and that its address and the network are right."
_UNLISTED = (
    f"See that its address and wire format (--api {listed(Api)}) are right. "
    "A server may have no list: name the model yourself, -m MODEL."
)


@dataclass(frozen=True, slots=True)
class FoundServer:
    """A server that answered, with what it serves."""

    endpoint: Endpoint
    models: tuple[ModelInfo, ...]


async def list_models(
    endpoint: Endpoint, transport: Transport, secret: str | None = None, timeouts: Timeouts = LISTING
) -> tuple[ModelInfo, ...]:
    """The models an endpoint says it serves. Raises UserError in its words, with a remedy, when it does not."""
    provider = provider_for(endpoint.api)
    request = HttpRequest(
        "GET", endpoint.base_url + provider.models_path, request_headers(provider, endpoint, secret), None, timeouts
    )
    try:
        response = await transport.send(request)
    except (TransportTimeout, TransportFailure) as error:
        raise UserError(
            f"{endpoint.name} ({endpoint.base_url}): {clean_message(str(error), secret)}", remedy=_UNREACHED
        ) from None
    if not 200 <= response.status < 300:
        words = clean_message(provider.decode(Operation.CHAT, response).message, secret)
        raise UserError(
            f"{endpoint.name} ({endpoint.base_url}) answered {response.status}: {words}",
            remedy=_after(response.status, endpoint),
        )
    try:
        served = provider.decode_models(response)
    except ValueError as error:
        words = clean_message(str(error), secret)
        raise UserError(f"{endpoint.name} ({endpoint.base_url}): {words}", remedy=_UNLISTED) from None
    return tuple(replace(one, id=masked(one.id, secret), detail=masked(one.detail, secret)) for one in served)


def _after(status: int, endpoint: Endpoint) -> str:
    """What to do about such a refusal."""
    if status in (401, 403):
        given = "it is sent none" if endpoint.key.kind is KeyKind.NONE else f"it is sent {endpoint.key}"
        return f"Give it a key that it accepts: {given} (key: in the settings)."
    if status == 429 or status >= 500:
        return "Try again in a while, or name the model yourself: -m MODEL."
    return _UNLISTED


async def find_local_servers(transport: Transport) -> tuple[FoundServer, ...]:
    """Asks the usual local ports, all at once; takes about a second at most."""
    local = [endpoint for entry in CATALOG if entry.is_local and (endpoint := known(entry.name)) is not None]
    return tuple(found for found in await asyncio.gather(*(_probe(one, transport) for one in local)) if found)


async def _probe(endpoint: Endpoint, transport: Transport) -> FoundServer | None:
    try:
        return FoundServer(endpoint, await list_models(endpoint, transport, timeouts=PROBE))
    except UserError:
        return None

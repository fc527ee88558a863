"""Before a job is made: is anything there at all? A wrong address must not cost minutes of retries."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterable
from urllib.parse import urlsplit
from urllib.request import getproxies

from tui_batch.domain.endpoint import SIMULATED, Endpoint
from tui_batch.errors import UserError
from tui_batch.providers.keys import resolve_key
from tui_batch.safe_text import safe_text

PATIENCE_S = 3.0
"""A server that takes longer to accept is left to the run, which waits and retries."""
SECOND_LOOK_S = 1.0
"""A server that is just being started gets so long."""
_PORTS = {"http": 80, "https": 443}


async def check_reachable(endpoints: Iterable[Endpoint]) -> tuple[str, ...]:
    """Looks for each endpoint's key, opens a connection to it and closes it. Nothing is sent.

    Raises UserError when a key is missing, and when every endpoint is certain not to answer: no such host, or nothing
    listens there. When only some are, returns a note for each: the run goes on with the others and tries these now
    and then. Behind a proxy nothing can be told from here, and no connection is tried.
    """
    asked = [endpoint for endpoint in endpoints if not endpoint.base_url.startswith(SIMULATED)]
    for source in {endpoint.key for endpoint in asked}:
        await asyncio.to_thread(resolve_key, source)
    if not asked or getproxies():
        return ()
    troubles = await _troubles(asked)
    if all(troubles):
        await asyncio.sleep(SECOND_LOOK_S)
        troubles = await _troubles(asked)
    found = tuple(f"{_place(endpoint)}: {why}" for endpoint, why in zip(asked, troubles, strict=True) if why)
    if len(found) < len(asked):
        return found
    raise UserError(
        "\n".join(found),
        remedy="Start the server, or check the address. To try without any server: --simulate",
    )


async def _troubles(endpoints: list[Endpoint]) -> list[str]:
    return list(await asyncio.gather(*(_trouble(endpoint.base_url) for endpoint in endpoints)))


async def _trouble(base_url: str) -> str:
    """Why nothing can answer at an address; empty when something may."""
    parts = urlsplit(base_url)
    port = parts.port or _PORTS.get(parts.scheme, 80)
    try:
        async with asyncio.timeout(PATIENCE_S):
            addresses = await asyncio.get_running_loop().getaddrinfo(parts.hostname, port, type=socket.SOCK_STREAM)
            refused = [await _refuses(family, address) for family, _, _, _, address in addresses]
    except socket.gaierror as error:
        return "" if error.errno == socket.EAI_AGAIN else f"there is no host {parts.hostname}"
    except UnicodeError:  # a part between dots that is empty, or has more than 63 characters
        return f"{parts.hostname} can be no host's name"
    except OSError:  # a timeout, no route: it may come back while the job waits
        return ""
    return f"nothing listens on port {port}" if all(refused) else ""


async def _refuses(family: int, address: tuple[object, ...]) -> bool:
    """Whether an address refuses a connection. One that this machine cannot use (no IPv6) counts as refusing."""
    try:
        with socket.socket(family, socket.SOCK_STREAM) as connection:
            connection.setblocking(False)
            await asyncio.get_running_loop().sock_connect(connection, address)
    except ConnectionRefusedError:
        return True
    except OSError:
        return family == socket.AF_INET6
    return False


def _place(endpoint: Endpoint) -> str:
    return safe_text(f"{endpoint.name} ({endpoint.base_url})")

"""The simulator in place of the network: the same core answers in memory, in tests and in `run --simulate`."""

from __future__ import annotations

import asyncio
from urllib.parse import urlsplit

from tui_batch.providers.base import FailureKind, HttpRequest, HttpResponse, TransportFailure, TransportTimeout
from tui_batch.simulator.core import Simulator
from tui_batch.simulator.wire import Delivery, SimRequest, SimResponse


class SimulatorTransport:
    """A providers.base.Transport that leads into a simulator, whatever the URL's host."""

    def __init__(self, simulator: Simulator) -> None:
        self._simulator = simulator

    async def send(self, request: HttpRequest) -> HttpResponse:
        """Answers a request as the server would. Raises TransportTimeout and TransportFailure."""
        limit = request.timeouts.total_s
        started = self._simulator.clock.now()
        # A core without latency never waits: give everyone else their turn.
        await asyncio.sleep(0)
        try:
            async with asyncio.timeout(limit):
                response = await self._simulator.handle(_translate(request))
                await self._deliver(response, limit)
        except TimeoutError:
            raise _timed_out(limit) from None
        # With an injected clock the time that passed is not the event loop's.
        if self._simulator.clock.now() - started > limit:
            raise _timed_out(limit)
        return HttpResponse(response.status, dict(response.headers), response.body)

    async def aclose(self) -> None:
        """Nothing is open."""

    async def _deliver(self, response: SimResponse, limit: float) -> None:
        config, clock = self._simulator.config, self._simulator.clock
        match response.delivery:
            case Delivery.RESET:
                raise TransportFailure(FailureKind.READ, "the connection was reset by the server")
            case Delivery.HANG:
                await clock.sleep(min(config.hang_s, limit))
                raise _timed_out(limit)
            case Delivery.DRIBBLE:
                await clock.sleep(config.slow_body_s)
            case _:
                return


def _translate(request: HttpRequest) -> SimRequest:
    parts = urlsplit(request.url)
    path = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
    headers = {name.lower(): value for name, value in request.headers}
    return SimRequest(request.method, path, headers, request.body or b"")


def _timed_out(limit: float) -> TransportTimeout:
    return TransportTimeout(f"no whole response within {limit:g} s")

"""The simulator in place of the network: the same core answers in memory, in tests and in `run --simulate`."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
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
                bounds = _Bounds.of(request)
                response = await self._begin(request, bounds.first_s)
                try:
                    await self._deliver(response, bounds)
                finally:
                    response.done()
        except TimeoutError:
            raise _timed_out(limit) from None
        # With an injected clock the time that passed is not the event loop's.
        if self._simulator.clock.now() - started > limit:
            raise _timed_out(limit)
        return HttpResponse(response.status, dict(response.headers), _body(request, response))

    async def aclose(self) -> None:
        """Nothing is open."""

    async def _begin(self, request: HttpRequest, limit: float) -> SimResponse:
        """The response, up to its first byte. Raises TransportTimeout."""
        started = self._simulator.clock.now()
        try:
            async with asyncio.timeout(limit):
                response = await self._simulator.handle(_translate(request))
        except TimeoutError:
            raise _timed_out(limit) from None
        if self._simulator.clock.now() - started > limit:
            response.done()
            raise _timed_out(limit)
        return response

    async def _deliver(self, response: SimResponse, bounds: _Bounds) -> None:
        config, clock = self._simulator.config, self._simulator.clock
        match response.delivery:
            case Delivery.RESET:
                raise TransportFailure(FailureKind.READ, "the connection was reset by the server")
            case Delivery.HANG:
                await clock.sleep(min(config.hang_s, bounds.first_s))
                raise _timed_out(bounds.first_s)
            case Delivery.STALL:
                await clock.sleep(min(config.hang_s, bounds.next_s))
                raise _timed_out(bounds.next_s)
            case Delivery.DRIBBLE:
                await clock.sleep(config.slow_body_s)
            case _:
                if response.pace_s > bounds.next_s * max(1, len(response.chunks) - 1):
                    await clock.sleep(bounds.next_s)
                    raise _timed_out(bounds.next_s)
                if response.pace_s:
                    await clock.sleep(response.pace_s)


@dataclass(frozen=True, slots=True)
class _Bounds:
    """Seconds of silence that a request puts up with: before the first byte, and after it."""

    first_s: float
    next_s: float

    @classmethod
    def of(cls, request: HttpRequest) -> _Bounds:
        given = request.timeouts
        if request.assembler is None:
            return cls(given.total_s, given.total_s)
        silences = (given.first_byte_s, given.stall_s)
        return cls(*(given.total_s if one is None else min(one, given.total_s) for one in silences))


def _body(request: HttpRequest, response: SimResponse) -> bytes:
    """The body, assembled where it was asked for in pieces."""
    if request.assembler is None or not 200 <= response.status < 300:
        return response.body
    for chunk in response.chunks:
        request.assembler.feed(chunk)
    return request.assembler.finish()


def _translate(request: HttpRequest) -> SimRequest:
    parts = urlsplit(request.url)
    path = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
    headers = {name.lower(): value for name, value in request.headers}
    return SimRequest(request.method, path, headers, request.body or b"")


def _timed_out(limit: float) -> TransportTimeout:
    return TransportTimeout(f"no whole response within {limit:g} s")

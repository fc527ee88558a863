"""From a wire request to an outcome: adds the key, sends, times, and turns every failure into a value."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

from tui_batch.domain.endpoint import Endpoint
from tui_batch.domain.outcome import Outcome, OutcomeClass
from tui_batch.domain.request import WireRequest
from tui_batch.providers.base import (
    FailureKind,
    Headers,
    HttpRequest,
    HttpResponse,
    Provider,
    Transport,
    TransportFailure,
    TransportTimeout,
)
from tui_batch.providers.redact import clean_message, prepare, without_secret
from tui_batch.providers.registry import provider_for
from tui_batch.providers.streams import refuses_options, without_options

JSON_HEADERS: Headers = (("content-type", "application/json"), ("accept", "application/json"))
"""Sent with every request."""


def request_headers(provider: Provider, endpoint: Endpoint, secret: str | None) -> Headers:
    """All headers of an endpoint's requests. The endpoint's own win over ours of the same name."""
    own = {name.lower() for name, _ in endpoint.headers}
    ours = (*JSON_HEADERS, *provider.auth_headers(secret))
    return (*(pair for pair in ours if pair[0].lower() not in own), *endpoint.headers)


class EndpointClient:
    """Sends wire requests to one endpoint. Headers are built once; the secret lives here and nowhere else."""

    def __init__(
        self,
        transport: Transport,
        endpoint: Endpoint,
        secret: str | None,
        *,
        provider: Provider | None = None,
        clock: Callable[[], float] = time.time,
        timer: Callable[[], float] = time.perf_counter,
    ) -> None:
        """`clock` gives Unix time, `timer` seconds that never step back. May take a second: see redact.prepare."""
        prepare(secret)
        self._transport = transport
        self._provider = provider or provider_for(endpoint.api)
        self._base_url = endpoint.base_url
        self._secret = secret
        self._headers = request_headers(self._provider, endpoint, secret)
        self._clock = clock
        self._timer = timer
        self._refuses_options = False
        """Whether this server was seen to refuse stream_options."""

    async def send(self, wire: WireRequest) -> Outcome:
        """Makes the request. Raises nothing but CancelledError, and what is a defect of the transport."""
        if wire.timeouts.stall_s is None:
            return await self._send(wire)
        if not self._refuses_options:
            outcome = await self._send(wire)
            if not refuses_options(outcome):
                return outcome
            self._refuses_options = True
        return await self._send(replace(wire, body=without_options(wire.body)))

    async def _send(self, wire: WireRequest) -> Outcome:
        started_at, start = self._clock(), self._timer()
        assembler = None if wire.timeouts.stall_s is None else self._provider.assembler(wire.operation)
        request = HttpRequest("POST", self._base_url + wire.path, self._headers, wire.body, wire.timeouts, assembler)
        try:
            response = await self._transport.send(request)
        except TransportTimeout as error:
            outcome = Outcome(OutcomeClass.TIMEOUT, message=clean_message(str(error), self._secret))
        except TransportFailure as error:
            outcome = failure_outcome(error, self._secret)
        else:
            outcome = self._decode(wire, response)
        return outcome.timed(started_at, self._timer() - start)

    def _decode(self, wire: WireRequest, response: HttpResponse) -> Outcome:
        return without_secret(self._provider.decode(wire.operation, response), self._secret)


def failure_outcome(error: TransportFailure, secret: str | None = None) -> Outcome:
    """What a request without a whole response means for its item."""
    cls = _FAILURES.get(error.kind, OutcomeClass.CONNECTION)
    return Outcome(cls, code=error.kind.value, message=clean_message(error.message, secret))


_FAILURES = {
    FailureKind.BODY: OutcomeClass.MALFORMED,
    FailureKind.TOO_LARGE: OutcomeClass.MALFORMED,
    FailureKind.REQUEST: OutcomeClass.BAD_REQUEST,
}
"""The other kinds are connection errors, which another try may cure."""

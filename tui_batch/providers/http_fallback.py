"""The same seam over httpx: where pyreqwest has no build, and for tests with httpx.MockTransport. Much slower."""

from __future__ import annotations

import asyncio
import os
import ssl
import time
from collections.abc import Mapping

import httpx

from tui_batch.errors import UserError
from tui_batch.paths import expanded
from tui_batch.providers.base import FailureKind, HttpRequest, HttpResponse, TransportFailure
from tui_batch.providers.network import BAD_HEADER, USER_AGENT, ProxyUse, TransportOptions, timed_out
from tui_batch.providers.pieces import Patience, Verbatim, read_pieces, reader_of
from tui_batch.providers.redact import clean_message
from tui_batch.providers.tls import ca_path


class HttpxTransport:
    """Transport over httpx.AsyncClient. Cancelling the awaiting task closes the connection."""

    def __init__(
        self,
        options: TransportOptions | None = None,
        env: Mapping[str, str] = os.environ,
        *,
        inner: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        """`inner` takes the place of the network in tests."""
        self._options = options or TransportOptions()
        self._client = httpx.AsyncClient(
            transport=inner,
            verify=_ssl_context(ca_path(self._options.ca_file, env)),
            trust_env=self._options.proxies is ProxyUse.ENVIRONMENT,
            follow_redirects=False,
            timeout=httpx.Timeout(None, connect=self._options.connect_s),
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=None),
            headers={"user-agent": USER_AGENT},
        )

    async def send(self, request: HttpRequest) -> HttpResponse:
        """See Transport."""
        start = time.monotonic()
        try:
            async with asyncio.timeout(request.timeouts.total_s):
                return await self._send(request)
        except (TimeoutError, httpx.TimeoutException):
            waited = time.monotonic() - start
            raise timed_out(waited, request.timeouts.total_s, self._options.connect_s) from None
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            raise _translate(error) from None

    async def aclose(self) -> None:
        """See Transport."""
        await self._client.aclose()

    async def _send(self, request: HttpRequest) -> HttpResponse:
        wire = self._client.build_request(
            request.method, request.url, headers=list(request.headers), content=request.body
        )
        async with Patience(request.timeouts) as patience:
            response = await self._client.send(wire, stream=True)
            try:
                reader = reader_of(response.status_code, request.assembler or Verbatim())
                body = await read_pieces(response.aiter_bytes(), reader, patience, self._options.max_body)
            finally:
                await response.aclose()
        return HttpResponse(response.status_code, dict(response.headers), body)


def _ssl_context(path: str | None) -> ssl.SSLContext:
    context = httpx.create_ssl_context(trust_env=False)
    if path:
        try:
            context.load_verify_locations(cafile=expanded(path))
        except (OSError, ssl.SSLError) as error:
            raise UserError(
                f"{path}: no usable certificates ({error})",
                remedy="Point ca_file in the settings, SSL_CERT_FILE or REQUESTS_CA_BUNDLE at a PEM file.",
            ) from error
    return context


def _translate(error: Exception) -> TransportFailure:
    """httpx's own text is dropped where it may quote a header's value."""
    kind = _kind(error)
    if kind is FailureKind.REQUEST and not isinstance(error, httpx.InvalidURL | httpx.UnsupportedProtocol):
        return TransportFailure(kind, BAD_HEADER)
    return TransportFailure(kind, clean_message(str(error) or type(error).__name__))


def _kind(error: Exception) -> FailureKind:
    said = str(error).lower()
    if isinstance(error, httpx.ProxyError):
        return FailureKind.PROXY
    if "certificate" in said or "ssl" in said:
        return FailureKind.TLS
    if isinstance(error, httpx.ConnectError):
        return FailureKind.CONNECT
    if isinstance(error, httpx.DecodingError):
        return FailureKind.BODY
    if isinstance(error, httpx.LocalProtocolError | httpx.InvalidURL | httpx.UnsupportedProtocol | ValueError):
        return FailureKind.REQUEST
    if isinstance(error, httpx.RemoteProtocolError) and "disconnected" not in said and "closed" not in said:
        return FailureKind.PROTOCOL
    return FailureKind.READ

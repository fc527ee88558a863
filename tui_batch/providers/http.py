"""The production transport: one pyreqwest client for everything.

Measured at 256 in flight against a lean server on another core, under uvloop: 0.04 to 0.05 ms of CPU per request, a
third of bare aiohttp; reading the response's headers into a dict adds 0.016. Proxies come from HTTP_PROXY,
HTTPS_PROXY, ALL_PROXY and NO_PROXY. No redirect is followed: a redirected POST would carry the key to another host.

Cancelling the awaiting task frees the caller at once. What happens on the wire was measured with pyreqwest 0.15.1:

- A streamed request whose response has begun is dropped: the server sees the connection end within a millisecond. This
  needs a read buffer of 0; with the usual one pyreqwest hands nothing over before 64 KiB or the end have come.
- Any other goes on until the server begins to answer, or until its time is over: its spawned future has no handle, and
  neither closing nor deleting the client reaches it, for all clients share one runtime. Streamed requests go through a
  client with a read timeout of their own, so that it is over after twice their bound at the latest.
- The end of the process drops everything.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import AsyncIterator, Iterable, Mapping
from datetime import timedelta
from functools import lru_cache
from typing import TYPE_CHECKING

from tui_batch.errors import UserError
from tui_batch.providers.base import (
    Assembler,
    FailureKind,
    HttpRequest,
    HttpResponse,
    Transport,
    TransportFailure,
    TransportTimeout,
)
from tui_batch.providers.network import (
    BAD_HEADER,
    USER_AGENT,
    ProxyUse,
    TransportOptions,
    timed_out,
)
from tui_batch.providers.pieces import Patience, read_pieces, reader_of, too_large
from tui_batch.providers.redact import clean_message
from tui_batch.providers.tls import ca_path, read_certificates

if TYPE_CHECKING:
    from pyreqwest.client import Client
    from pyreqwest.request import RequestBuilder
    from pyreqwest.response import Response


def open_transport(options: TransportOptions | None = None, env: Mapping[str, str] = os.environ) -> Transport:
    """The transport for this machine: pyreqwest, or httpx where pyreqwest has no build or finds no authorities.

    Raises UserError when the file of certificate authorities cannot be used.
    """
    options = options or TransportOptions()
    try:
        return PyreqwestTransport(options, env)
    except (ImportError, NoSystemAuthorities):
        from tui_batch.providers.http_fallback import HttpxTransport

        return HttpxTransport(options, env)


class NoSystemAuthorities(UserError):
    """The platform has no certificate authorities (a bare container). httpx brings its own."""


class PyreqwestTransport:
    """Transport over pyreqwest. No bound on connections: admission bounds what is in flight."""

    def __init__(self, options: TransportOptions | None = None, env: Mapping[str, str] = os.environ) -> None:
        self._options = options or TransportOptions()
        self._env = env
        from pyreqwest.http import Url

        self._client = _build_client(self._options, env)
        self._url = lru_cache(Url)
        """Reads an address. A job has one or a few; to read it anew is half the cost of making a request."""
        self._streaming: dict[int, Client] = {}
        """Clients for streamed requests, by their read timeout in seconds."""

    async def send(self, request: HttpRequest) -> HttpResponse:
        """See Transport. The connect timeout is the transport's own; `total_s` is the request's."""
        builder = self._builder(request)
        start = time.monotonic()
        try:
            if request.assembler is not None:
                return await self._stream(builder.streamed_read_buffer_limit(0), request, request.assembler)
            async with builder.build_streamed() as response:
                return await self._read(response)
        except (TransportFailure, TransportTimeout):
            raise
        except Exception as error:
            raise self._translate(error, request, time.monotonic() - start) from None
        except BaseException as error:
            if type(error).__name__ != _PANIC:
                raise
            raise TransportFailure(FailureKind.READ, "the network library failed") from None

    async def aclose(self) -> None:
        """See Transport."""
        for client in (self._client, *self._streaming.values()):
            await client.close()

    def _builder(self, request: HttpRequest) -> RequestBuilder:
        """Raises TransportFailure. pyreqwest's own text is dropped: it quotes the header's value."""
        try:
            url = self._url(request.url)
        except Exception as error:
            raise TransportFailure(FailureKind.REQUEST, f"bad URL {request.url!r}: {error}") from None
        builder = self._client_for(request).request(request.method, url)
        try:
            builder = builder.headers(request.headers)
        except Exception:
            raise TransportFailure(FailureKind.REQUEST, BAD_HEADER) from None
        builder = builder.timeout(timedelta(seconds=request.timeouts.total_s))
        return builder if request.body is None else builder.body_bytes(request.body)

    def _client_for(self, request: HttpRequest) -> Client:
        """Streamed requests go by clients whose read timeout is the next power of two of seconds, made when needed."""
        timeouts = request.timeouts
        if request.assembler is None or timeouts.first_byte_s is None:
            return self._client
        bound = 1 << math.ceil(max(timeouts.first_byte_s, timeouts.stall_s or 0.0)).bit_length()
        if bound not in self._streaming:
            self._streaming[bound] = _build_client(self._options, self._env, read_timeout_s=bound)
        return self._streaming[bound]

    async def _stream(self, builder: RequestBuilder, request: HttpRequest, assembler: Assembler) -> HttpResponse:
        async with Patience(request.timeouts) as patience, builder.build_streamed() as response:
            reader = reader_of(response.status, assembler)
            body = await read_pieces(_pieces(response), reader, patience, self._options.max_body)
            return HttpResponse(response.status, _headers(response), body)

    async def _read(self, response: Response) -> HttpResponse:
        limit = self._options.max_body
        data = await response.body_reader.read(limit + 1)
        body = b"" if data is None else data.to_bytes()
        if len(body) > limit:
            raise too_large(limit)
        return HttpResponse(response.status, _headers(response), body)

    def _translate(self, error: Exception, request: HttpRequest, waited_s: float) -> Exception:
        """pyreqwest's error as one of ours; anything unknown is passed on as it is."""
        from pyreqwest import exceptions

        if isinstance(error, exceptions.RequestTimeoutError):
            return timed_out(waited_s, request.timeouts.total_s, self._options.connect_s)
        if isinstance(error, exceptions.PyreqwestError):
            causes = _causes(error)
            kind = _kind(error, causes)
            return TransportFailure(kind, clean_message(_failure_text(kind, causes) or error.message))
        return error


_PANIC = "PanicException"
"""A fault of Rust's own, which PyO3 makes no Exception: it would take the request away without a trace."""


async def _pieces(response: Response) -> AsyncIterator[bytes]:
    """The body as it arrives."""
    while (piece := await response.body_reader.read_chunk()) is not None:
        yield piece.to_bytes()


def _build_client(options: TransportOptions, env: Mapping[str, str], read_timeout_s: float | None = None) -> Client:
    from pyreqwest.client import ClientBuilder
    from pyreqwest.exceptions import BuilderError

    builder = ClientBuilder().follow_redirects(False).user_agent(USER_AGENT).referer(False)
    builder = builder.connect_timeout(timedelta(seconds=options.connect_s))
    if read_timeout_s is not None:
        builder = builder.read_timeout(timedelta(seconds=read_timeout_s))
    if options.proxies is ProxyUse.DIRECT:
        builder = builder.no_proxy()
    path = ca_path(options.ca_file, env)
    try:
        for certificate in read_certificates(path) if path else ():
            builder = builder.add_root_certificate_pem(certificate)
        return builder.build()
    except BuilderError as error:
        reason = "; ".join(_causes(error)) or error.message
        kind = NoSystemAuthorities if "No CA certificates" in reason else UserError
        raise kind(
            f"the network client cannot start: {reason}",
            remedy="Check ca_file in the settings, SSL_CERT_FILE and the proxy variables.",
        ) from None


def _headers(response: Response) -> dict[str, str]:
    headers = response.headers
    try:
        return dict(headers.items())
    except ValueError:
        return dict(_readable(headers))


def _readable(headers: Mapping[str, str]) -> Iterable[tuple[str, str]]:
    """The headers that are text. One that is not is no reason to lose the answer."""
    for name in headers:
        try:
            yield name, headers[name]
        except ValueError:
            continue


def _causes(error: Exception) -> list[str]:
    """The chain of causes, outermost first."""
    details = getattr(error, "details", None)
    found = details.get("causes") if isinstance(details, dict) else None
    return [cause["message"] for cause in found or ()]


def _kind(error: Exception, causes: list[str]) -> FailureKind:
    from pyreqwest import exceptions

    said = " ".join(causes).lower()
    if "tunnel" in said or "proxy" in said:
        return FailureKind.PROXY
    if "certificate" in said or "tls" in said:
        return FailureKind.TLS
    if isinstance(error, exceptions.BodyDecodeError):
        return FailureKind.READ if "from connection" in said else FailureKind.BODY
    if isinstance(error, exceptions.DecodeError):
        return FailureKind.PROTOCOL
    if isinstance(error, exceptions.BuilderError):
        return FailureKind.REQUEST
    if isinstance(error, exceptions.ConnectError) and "sendrequest" not in said:
        return FailureKind.CONNECT
    return FailureKind.READ


def _failure_text(kind: FailureKind, causes: list[str]) -> str:
    """The innermost causes: the outer ones only repeat the URL and say that something failed."""
    inner = [cause for cause in causes if "for url" not in cause and not cause.startswith("client error")]
    return ": ".join([_LEAD[kind], *inner[-2:]]) if inner else ""


_LEAD = {
    FailureKind.CONNECT: "cannot connect",
    FailureKind.TLS: "TLS failed",
    FailureKind.PROXY: "proxy failed",
    FailureKind.READ: "connection broke",
    FailureKind.PROTOCOL: "not an HTTP answer",
    FailureKind.BODY: "body cannot be decoded",
    FailureKind.TOO_LARGE: "too large",
    FailureKind.REQUEST: "request refused",
}

"""Both transports against real sockets that behave as servers, proxies and broken servers do."""

from __future__ import annotations

import asyncio
import gzip
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace

import httpx
import pytest

from tui_batch.domain.request import Timeouts
from tui_batch.errors import UserError
from tui_batch.providers.base import FailureKind, HttpRequest, Transport, TransportFailure, TransportTimeout
from tui_batch.providers.http import PyreqwestTransport, open_transport
from tui_batch.providers.http_fallback import HttpxTransport
from tui_batch.providers.network import ProxyUse, TransportOptions

TLS = Path(__file__).parent / "tls"
Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
Make = Callable[..., Transport]
DIRECT = TransportOptions(proxies=ProxyUse.DIRECT)


@pytest.fixture(params=[PyreqwestTransport, HttpxTransport])
def make(request: pytest.FixtureRequest) -> Make:
    """Each transport in turn; the environment holds no variables of the network."""
    return lambda options=DIRECT, env=None: request.param(options, env or {})


@pytest.fixture
async def transport(make: Make) -> AsyncIterator[Transport]:
    opened = make()
    yield opened
    await opened.aclose()


class Served:
    """A server on a free port of this machine and what it was sent."""

    def __init__(self) -> None:
        self.port = 0
        self.heads: list[str] = []
        self.bodies: list[bytes] = []
        self.gone = asyncio.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1/x"


@asynccontextmanager
async def serving(answer: bytes | Handler, tls: ssl.SSLContext | None = None) -> AsyncIterator[Served]:
    """Answers every connection's one request with the bytes, or as the handler does, then closes."""
    served = Served()
    open_now: set[asyncio.StreamWriter] = set()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        open_now.add(writer)
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            served.heads.append(head)
            length = next((line[15:] for line in head.split("\r\n") if line.lower().startswith("content-length")), "0")
            served.bodies.append(await reader.readexactly(int(length)))
            if isinstance(answer, bytes):
                writer.write(answer)
                await writer.drain()
            else:
                await answer(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            served.gone.set()
            writer.close()
            open_now.discard(writer)

    server = await asyncio.start_server(handle, "127.0.0.1", 0, ssl=tls, backlog=2048)
    served.port = server.sockets[0].getsockname()[1]
    try:
        yield served
    finally:
        server.close()
        for writer in open_now:
            writer.transport.abort()


def post(url: str, total_s: float = 10.0, headers: tuple[tuple[str, str], ...] = ()) -> HttpRequest:
    return HttpRequest("POST", url, headers, b'{"a":1}', Timeouts(total_s=total_s))


def ok(body: bytes, *lines: bytes) -> bytes:
    head = b"\r\n".join([b"HTTP/1.1 200 OK", b"Content-Length: %d" % len(body), b"Connection: close", *lines])
    return head + b"\r\n\r\n" + body


async def test_a_request_arrives_whole_and_its_answer_comes_back(transport: Transport) -> None:
    async with serving(ok(b'{"x":1}', b"X-Request-ID: r1", b"Retry-After: 2")) as server:
        response = await transport.send(post(server.url, headers=(("x-api-key", "secret"),)))
    assert (response.status, response.body) == (200, b'{"x":1}')
    assert response.headers.get("x-request-id") == "r1"
    assert server.bodies == [b'{"a":1}']
    head = server.heads[0].lower()
    assert head.startswith("post /v1/x http/1.1")
    assert "x-api-key: secret" in head
    assert "user-agent: llmbatch-tui/" in head


async def test_get_without_a_body(transport: Transport) -> None:
    async with serving(ok(b"[]")) as server:
        response = await transport.send(HttpRequest("GET", server.url, (), None, Timeouts()))
    assert response.body == b"[]"
    assert server.heads[0].startswith("GET ")


@pytest.mark.parametrize("status", [204, 401, 429, 500, 529])
async def test_every_status_is_a_response_not_an_error(transport: Transport, status: int) -> None:
    async with serving(b"HTTP/1.1 %d X\r\nContent-Length: 0\r\nConnection: close\r\n\r\n" % status) as server:
        response = await transport.send(post(server.url))
    assert (response.status, response.body) == (status, b"")


async def test_redirects_are_not_followed_so_the_key_stays_here(transport: Transport) -> None:
    async with serving(ok(b"stolen")) as elsewhere:
        answer = b"HTTP/1.1 307 X\r\nLocation: %s\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        async with serving(answer % elsewhere.url.encode()) as server:
            response = await transport.send(post(server.url, headers=(("authorization", "Bearer k"),)))
    assert response.status == 307
    assert response.headers["location"] == elsewhere.url
    assert elsewhere.heads == []


async def test_gzip_is_unpacked(transport: Transport) -> None:
    async with serving(ok(gzip.compress(b"hello" * 100), b"Content-Encoding: gzip")) as server:
        assert (await transport.send(post(server.url))).body == b"hello" * 100


async def test_a_body_in_slow_chunks_is_read_whole(transport: Transport) -> None:
    async def slow(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n")
        for piece in (b"one ", b"two ", b"three"):
            writer.write(b"%x\r\n%s\r\n" % (len(piece), piece))
            await writer.drain()
            await asyncio.sleep(0.02)
        writer.write(b"0\r\n\r\n")

    async with serving(slow) as server:
        assert (await transport.send(post(server.url))).body == b"one two three"


async def test_a_header_that_is_no_text_does_not_lose_the_answer(transport: Transport) -> None:
    async with serving(ok(b"x", b"X-Odd: caf\xe9\xff", b"X-Fine: yes")) as server:
        response = await transport.send(post(server.url))
    assert response.body == b"x"
    assert response.headers.get("x-fine") == "yes"


async def hang(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
    await reader.read()


async def hang_in_body(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhalf")
    await reader.read()


@pytest.mark.parametrize("behaviour", [hang, hang_in_body])
async def test_a_stall_ends_at_the_total_timeout(transport: Transport, behaviour: Handler) -> None:
    async with serving(behaviour) as server:
        with pytest.raises(TransportTimeout, match=r"0\.3 s"):
            await transport.send(post(server.url, total_s=0.3))
        if server.heads:  # a machine that stood still may have let the time pass before anything was sent
            await server.gone.wait()


BROKEN = [
    (b"", FailureKind.READ),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhalf", FailureKind.READ),
    (b"\x16\x03\x01 not http at all\r\n\r\n", FailureKind.PROTOCOL),
    (b"HTTP/1.1 200 OK\r\nX-Big: " + b"a" * 2_000_000 + b"\r\n\r\n", FailureKind.PROTOCOL),
    (b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 9\r\n\r\nnot gzip!", FailureKind.BODY),
]


@pytest.mark.parametrize(("answer", "kind"), BROKEN)
async def test_broken_answers_are_failures_with_a_reason(
    transport: Transport, answer: bytes, kind: FailureKind
) -> None:
    async with serving(answer) as server:
        with pytest.raises(TransportFailure) as raised:
            await transport.send(post(server.url))
    assert raised.value.kind is kind
    assert raised.value.message


async def test_a_reset_connection_is_a_read_failure(transport: Transport) -> None:
    async def reset(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.transport.abort()

    async with serving(reset) as server:
        with pytest.raises(TransportFailure) as raised:
            await transport.send(post(server.url))
    assert raised.value.kind is FailureKind.READ


async def test_nobody_listening_is_a_connect_failure(transport: Transport) -> None:
    async with serving(b"") as server:
        pass
    with pytest.raises(TransportFailure) as raised:
        await transport.send(post(server.url))
    assert raised.value.kind is FailureKind.CONNECT


@pytest.mark.parametrize("url", ["nonsense", "http://[::1/x", "ftp://127.0.0.1/x"])
async def test_an_address_that_is_none(transport: Transport, url: str) -> None:
    with pytest.raises(TransportFailure) as raised:
        await transport.send(post(url))
    assert raised.value.kind is FailureKind.REQUEST


async def test_a_key_with_a_line_break_is_refused_without_being_shown(transport: Transport) -> None:
    async with serving(ok(b"x")) as server:
        with pytest.raises(TransportFailure) as raised:
            await transport.send(post(server.url, headers=(("authorization", "Bearer top\nsecret"),)))
    assert raised.value.kind is FailureKind.REQUEST
    assert "secret" not in raised.value.message


async def test_a_body_beyond_the_bound_is_refused_even_packed(make: Make) -> None:
    transport = make(TransportOptions(proxies=ProxyUse.DIRECT, max_body=10_000))
    async with serving(ok(gzip.compress(bytes(10_001)), b"Content-Encoding: gzip")) as server:
        with pytest.raises(TransportFailure) as raised:
            await transport.send(post(server.url))
    async with serving(ok(gzip.compress(bytes(10_000)), b"Content-Encoding: gzip")) as server:
        assert len((await transport.send(post(server.url))).body) == 10_000
    assert raised.value.kind is FailureKind.TOO_LARGE
    await transport.aclose()


async def test_cancelling_frees_the_caller_at_once(transport: Transport) -> None:
    async with serving(hang) as server:
        task = asyncio.create_task(transport.send(post(server.url, total_s=50.0)))
        while not server.bodies:
            await asyncio.sleep(0.005)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task  # not TransportTimeout, when the request's own time is over


async def test_a_cancelled_request_is_dropped_when_its_own_time_is_over_at_the_latest(transport: Transport) -> None:
    async with serving(hang) as server:
        task = asyncio.create_task(transport.send(post(server.url, total_s=1.0)))
        while not server.heads and not task.done():
            await asyncio.sleep(0.005)
        task.cancel()
        with pytest.raises((asyncio.CancelledError, TransportTimeout)):  # its time, on a machine that stood still
            await task
        if server.heads:
            await server.gone.wait()


async def test_httpx_closes_a_cancelled_request_at_once() -> None:
    transport = HttpxTransport(DIRECT, {})
    async with serving(hang) as server:
        task = asyncio.create_task(transport.send(post(server.url, total_s=60.0)))
        while not server.bodies:
            await asyncio.sleep(0.005)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await server.gone.wait()
    await transport.aclose()


async def test_a_thousand_requests_wait_side_by_side() -> None:
    arrived = asyncio.Event()
    waiting = 0

    async def when_all_are_here(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal waiting
        waiting += 1
        if waiting == 1_000:
            arrived.set()
        await arrived.wait()
        writer.write(ok(b"x"))
        await writer.drain()

    transport = PyreqwestTransport(DIRECT, {})
    async with serving(when_all_are_here) as server:
        responses = await asyncio.gather(*(transport.send(post(server.url, total_s=50)) for _ in range(1_000)))
    assert {response.status for response in responses} == {200}
    await transport.aclose()


def loopback_tls() -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(TLS / "loopback.pem")
    return context


@pytest.mark.parametrize("how", ["setting", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"])
async def test_a_custom_authority_is_trusted(make: Make, how: str) -> None:
    authority = str(TLS / "authority.pem")
    options = TransportOptions(ca_file=authority if how == "setting" else None, proxies=ProxyUse.DIRECT)
    transport = make(options, {how: authority})
    async with serving(ok(b"tls"), loopback_tls()) as server:
        response = await transport.send(post(server.url.replace("http://127.0.0.1", "https://localhost")))
    assert response.body == b"tls"
    await transport.aclose()


async def test_an_unknown_authority_is_a_tls_failure(transport: Transport) -> None:
    async with serving(ok(b"tls"), loopback_tls()) as server:
        with pytest.raises(TransportFailure) as raised:
            await transport.send(post(server.url.replace("http://", "https://")))
    assert raised.value.kind is FailureKind.TLS


@pytest.mark.parametrize("content", [None, b"no certificate"])
def test_a_bad_authority_file_is_named(make: Make, tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UserError, match=r"ca\.pem") as raised:
        make(TransportOptions(ca_file=str(path)))
    assert "ca_file" in raised.value.remedy


PROXY_VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")


@pytest.fixture
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in PROXY_VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    return monkeypatch


async def test_the_environments_proxy_is_used_and_no_proxy_is_honoured(
    make: Make, no_proxies: pytest.MonkeyPatch
) -> None:
    async with serving(ok(b"proxied")) as proxy, serving(ok(b"direct")) as server:
        no_proxies.setenv("HTTP_PROXY", f"http://127.0.0.1:{proxy.port}")
        no_proxies.setenv("http_proxy", f"http://127.0.0.1:{proxy.port}")
        no_proxies.setenv("NO_PROXY", "127.0.0.1")
        no_proxies.setenv("no_proxy", "127.0.0.1")
        transport = make(TransportOptions())
        assert (await transport.send(post("http://llm.example/v1/x"))).body == b"proxied"
        assert (await transport.send(post(server.url))).body == b"direct"
        await transport.aclose()
    assert proxy.heads[0].startswith("POST http://llm.example/v1/x")


async def test_a_proxy_that_refuses_is_a_proxy_failure(make: Make, no_proxies: pytest.MonkeyPatch) -> None:
    async with serving(b"HTTP/1.1 407 Login\r\nContent-Length: 0\r\nConnection: close\r\n\r\n") as proxy:
        for name in ("HTTPS_PROXY", "https_proxy"):
            no_proxies.setenv(name, f"http://127.0.0.1:{proxy.port}")
        transport = make(TransportOptions())
        with pytest.raises(TransportFailure) as raised:
            await transport.send(post("https://llm.example/v1/x"))
        await transport.aclose()
    assert raised.value.kind is FailureKind.PROXY


async def test_httpx_transport_takes_a_mock_in_place_of_the_network() -> None:
    def handle(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json=json.loads(request.content))

    transport = HttpxTransport(DIRECT, {}, inner=httpx.MockTransport(handle))
    response = await transport.send(post("http://llm.example/x"))
    assert json.loads(response.body) == {"a": 1}
    await transport.aclose()


class PanicException(BaseException):
    """As PyO3 makes it of a panic in Rust."""


@pytest.mark.parametrize(
    ("error", "seen"),
    [(PanicException("index out of bounds"), TransportFailure), (KeyboardInterrupt(), KeyboardInterrupt)],
)
async def test_a_panic_of_the_library_is_a_failure_like_any_other(
    error: BaseException, seen: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is no Exception: the request it met was never counted as over, and its job never ended."""

    def panics() -> None:
        raise error

    transport = PyreqwestTransport()
    monkeypatch.setattr(transport, "_builder", lambda _: SimpleNamespace(build_streamed=panics))
    with pytest.raises(seen):
        await transport.send(HttpRequest("POST", "http://127.0.0.1:9/", (), b"{}", Timeouts()))
    await transport.aclose()


async def test_the_production_transport_is_pyreqwest() -> None:
    transport = open_transport(DIRECT, {})
    assert isinstance(transport, PyreqwestTransport)
    await transport.aclose()


async def test_a_container_without_authorities_still_reaches_its_local_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", "/nonexistent")
    monkeypatch.setenv("SSL_CERT_DIR", "/nonexistent")
    transport = open_transport(DIRECT, {})
    async with serving(ok(b"here")) as server:
        assert (await transport.send(post(server.url))).body == b"here"
    await transport.aclose()

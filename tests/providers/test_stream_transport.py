"""Streamed requests over real sockets: what stalls is noticed early, what is given up is really dropped."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

import orjson
import pytest
from virtual_time import run_virtually

from tui_batch.domain.endpoint import Api, DeploymentKey, Endpoint, Operation
from tui_batch.domain.outcome import OutcomeClass
from tui_batch.domain.request import Timeouts, WireRequest
from tui_batch.providers.base import FailureKind, HttpRequest, Transport, TransportFailure, TransportTimeout
from tui_batch.providers.client import EndpointClient
from tui_batch.providers.http import PyreqwestTransport
from tui_batch.providers.http_fallback import HttpxTransport
from tui_batch.providers.network import ProxyUse, TransportOptions
from tui_batch.providers.openai_stream import ChatAssembler
from tui_batch.providers.pieces import Patience, Verbatim, read_pieces

OPTIONS = TransportOptions(proxies=ProxyUse.DIRECT)
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
WORD = b'data: {"choices":[{"index":0,"delta":{"content":"word "},"finish_reason":null}]}\n\n'
END = b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'
LONG_S = 50.0
"""The whole time of a request, which no test waits for: what happens happened for another reason."""
GONE_S = 30.0
"""How long a server waits to see a client go, on however slow a machine: less than LONG_S, when it would go anyway."""


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


@dataclass
class Script:
    """What a server does with every connection, and what it saw."""

    act: Callable[[Script, asyncio.StreamWriter], Awaitable[None]]
    port: int = 0
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    gone: asyncio.Event = field(default_factory=asyncio.Event)
    go_on: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"


@asynccontextmanager
async def serving(act: Callable[[Script, asyncio.StreamWriter], Awaitable[None]]) -> AsyncIterator[Script]:
    script = Script(act)

    open_now: dict[asyncio.StreamWriter, asyncio.Task[None] | None] = {}

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        open_now[writer] = asyncio.current_task()
        await reader.readuntil(b"\r\n\r\n")
        await reader.readexactly(2)
        script.asked.set()
        acting = asyncio.create_task(act(script, writer))
        with suppress(ConnectionError):
            await reader.read()  # returns when the client has closed
        script.gone.set()
        acting.cancel()
        writer.transport.abort()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    script.port = server.sockets[0].getsockname()[1]
    try:
        yield script
    finally:
        server.close()
        for writer in open_now:
            writer.transport.abort()
        await asyncio.gather(*filter(None, open_now.values()), return_exceptions=True)


def sending(*pieces: bytes) -> Callable[[Script, asyncio.StreamWriter], Awaitable[None]]:
    """Writes these bytes at once, then ends the connection if the last of them is empty."""

    async def act(_: Script, writer: asyncio.StreamWriter) -> None:
        writer.write(b"".join(pieces))
        await writer.drain()
        if not pieces[-1]:
            writer.write_eof()

    return act


async def silent(_: Script, __: asyncio.StreamWriter) -> None:
    """Never says anything."""


@pytest.fixture(params=[PyreqwestTransport, HttpxTransport])
async def transport(request: pytest.FixtureRequest) -> AsyncIterator[Transport]:
    opened = request.param(OPTIONS, {})
    yield opened
    await opened.aclose()


def ask(script: Script, first_s: float | None = GONE_S, stall_s: float = GONE_S) -> HttpRequest:
    timeouts = Timeouts(total_s=LONG_S, first_byte_s=first_s, stall_s=stall_s)
    return HttpRequest("POST", script.url, (), b"{}", timeouts, ChatAssembler())


async def test_pieces_become_the_whole_answer(transport: Transport) -> None:
    stream = CHUNKED + b"".join(map(chunk, (WORD[:20], WORD[20:], WORD, END))) + b"0\r\n\r\n"
    async with serving(sending(stream, b"")) as script:
        response = await transport.send(ask(script))
    assert orjson.loads(response.body)["choices"][0]["message"]["content"] == "word word "


async def test_a_packed_stream_is_unpacked(transport: Transport) -> None:
    packed = gzip.compress(WORD + END)
    head = HEAD + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(packed)
    async with serving(sending(head + packed, b"")) as script:
        response = await transport.send(ask(script))
    assert orjson.loads(response.body)["choices"][0]["message"]["content"] == "word "


async def test_an_answer_that_stalls_is_given_up_and_dropped_long_before_its_time_is_over(transport: Transport) -> None:
    async with serving(sending(CHUNKED + chunk(WORD))) as script:
        with pytest.raises(TransportTimeout, match=r"stalled: nothing more came for 0\.2 s"):
            await transport.send(ask(script, stall_s=0.2))
        await asyncio.wait_for(script.gone.wait(), GONE_S)


async def test_an_answer_that_never_begins_is_given_up(transport: Transport) -> None:
    async with serving(silent) as script:
        with pytest.raises(TransportTimeout, match=r"no first byte of an answer within 0\.2 s"):
            await transport.send(ask(script, first_s=0.2, stall_s=0.2))
        await asyncio.wait_for(script.gone.wait(), GONE_S)  # pyreqwest: when its client's read timeout of 2 s is over


async def test_headers_alone_are_no_sign_of_life(transport: Transport) -> None:
    async with serving(sending(CHUNKED)) as script:
        with pytest.raises(TransportTimeout, match="no first byte"):
            await transport.send(ask(script, first_s=0.2))
        await asyncio.wait_for(script.gone.wait(), GONE_S)


async def test_pings_between_the_words_are_signs_of_life_and_no_part_of_the_answer(transport: Transport) -> None:
    async def pinging(_: Script, writer: asyncio.StreamWriter) -> None:
        writer.write(CHUNKED)
        for _number in range(8):
            writer.write(chunk(b": ping\n\n"))
            await writer.drain()
        writer.write(chunk(WORD + END) + b"0\r\n\r\n")

    async with serving(pinging) as script:
        response = await transport.send(ask(script))
    assert orjson.loads(response.body)["choices"][0]["message"]["content"] == "word "


async def every(pause_s: float, pieces: int) -> AsyncIterator[bytes]:
    for _ in range(pieces):
        await asyncio.sleep(pause_s)
        yield b"."


async def patient_with(pieces: AsyncIterator[bytes]) -> bytes:
    async with Patience(Timeouts(first_byte_s=0.5, stall_s=0.5)) as patience:
        return await read_pieces(pieces, Verbatim(), patience, 1_000)


def test_an_answer_slower_than_the_stall_in_all_but_never_silent_for_long_is_read_whole() -> None:
    assert run_virtually(patient_with(every(0.49, pieces=8))) == b"." * 8
    with pytest.raises(TransportTimeout, match="no first byte"):
        run_virtually(patient_with(every(0.51, pieces=8)))


async def test_cancelling_a_stream_that_has_begun_drops_it_at_once(transport: Transport) -> None:
    async with serving(sending(CHUNKED + chunk(WORD))) as script:
        heard = asyncio.Event()

        class Watched(ChatAssembler):
            def feed(self, piece: bytes) -> None:
                super().feed(piece)
                heard.set()

        timeouts = Timeouts(total_s=LONG_S, first_byte_s=LONG_S, stall_s=LONG_S)
        task = asyncio.create_task(transport.send(HttpRequest("POST", script.url, (), b"{}", timeouts, Watched())))
        await heard.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.wait_for(script.gone.wait(), GONE_S)


async def test_a_cut_connection_in_mid_stream_is_a_read_failure(transport: Transport) -> None:
    async with serving(sending(CHUNKED + chunk(WORD), b"")) as script:
        with pytest.raises(TransportFailure) as raised:
            await transport.send(ask(script))
    assert raised.value.kind is FailureKind.READ


async def test_an_orderly_end_in_mid_stream_is_a_read_failure_too(transport: Transport) -> None:
    async with serving(sending(HEAD + b"\r\n" + WORD, b"")) as script:
        with pytest.raises(TransportFailure, match="before the answer was whole") as raised:
            await transport.send(ask(script))
    assert raised.value.kind is FailureKind.READ


async def test_an_error_status_is_an_ordinary_response(transport: Transport) -> None:
    answer = b'HTTP/1.1 429 X\r\nRetry-After: 3\r\nContent-Length: 13\r\nConnection: close\r\n\r\n{"error":"x"}'
    async with serving(sending(answer, b"")) as script:
        response = await transport.send(ask(script))
    assert (response.status, response.body, response.headers["retry-after"]) == (429, b'{"error":"x"}', "3")


async def test_a_stream_beyond_the_bound_is_refused() -> None:
    for opened in (
        PyreqwestTransport(TransportOptions(proxies=ProxyUse.DIRECT, max_body=1_000), {}),
        HttpxTransport(TransportOptions(proxies=ProxyUse.DIRECT, max_body=1_000), {}),
    ):
        async with serving(sending(CHUNKED + chunk(WORD) * 20)) as script:
            with pytest.raises(TransportFailure) as raised:
                await opened.send(ask(script))
            await asyncio.wait_for(script.gone.wait(), GONE_S)
        assert raised.value.kind is FailureKind.TOO_LARGE
        await opened.aclose()


@pytest.mark.parametrize("streamed", [True, False])
async def test_the_client_streams_when_the_request_has_a_bound_on_silence(transport: Transport, streamed: bool) -> None:
    whole = b'{"choices":[{"message":{"content":"whole"},"finish_reason":"stop"}]}'
    plain = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n" % len(whole) + whole
    stream = CHUNKED + chunk(WORD + END) + b"0\r\n\r\n"
    timeouts = Timeouts(total_s=LONG_S, first_byte_s=5.0, stall_s=5.0) if streamed else Timeouts(total_s=LONG_S)
    wire = WireRequest(DeploymentKey("e", "m"), Api.OPENAI, Operation.CHAT, "/x", b"{}", timeouts)
    async with serving(sending(stream if streamed else plain, b"")) as script:
        outcome = await EndpointClient(transport, Endpoint("e", Api.OPENAI, script.url), None).send(wire)
    assert (outcome.cls, outcome.text) == (OutcomeClass.OK, "word " if streamed else "whole")
    assert outcome.latency_s > 0


async def test_a_stall_is_a_timeout_of_the_item(transport: Transport) -> None:
    timeouts = Timeouts(total_s=LONG_S, first_byte_s=5.0, stall_s=0.2)
    wire = WireRequest(DeploymentKey("e", "m"), Api.OPENAI, Operation.CHAT, "/x", b"{}", timeouts)
    async with serving(sending(CHUNKED + chunk(WORD))) as script:
        outcome = await EndpointClient(transport, Endpoint("e", Api.OPENAI, script.url), None).send(wire)
    assert (outcome.cls, outcome.text) == (OutcomeClass.TIMEOUT, None)
    assert "stalled" in outcome.message


async def stubborn(first: asyncio.Event) -> AsyncIterator[bytes]:
    """A piece that arrives at the very moment of a cancellation, which is lost by that."""
    yield b"one"
    first.set()
    with suppress(asyncio.CancelledError):
        await asyncio.Event().wait()
    yield b"two"


async def test_a_cancellation_that_meets_a_piece_is_not_lost() -> None:
    first = asyncio.Event()

    async def read() -> bytes:
        async with Patience(Timeouts(first_byte_s=LONG_S, stall_s=LONG_S)) as patience:
            return await read_pieces(stubborn(first), Verbatim(), patience, 1_000)

    task = asyncio.create_task(read())
    await first.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_stall_that_meets_a_piece_is_still_a_stall() -> None:
    with pytest.raises(TransportTimeout, match="stalled"):
        async with Patience(Timeouts(first_byte_s=LONG_S, stall_s=0.02)) as patience:
            await read_pieces(stubborn(asyncio.Event()), Verbatim(), patience, 1_000)

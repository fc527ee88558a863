"""The simulator on a port: a small HTTP/1.1 server on asyncio alone, quick to start and to answer."""

from __future__ import annotations

import asyncio
import socket
import struct
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

from tui_batch.errors import UserError
from tui_batch.simulator import http1
from tui_batch.simulator.clock import Clock
from tui_batch.simulator.config import SimulatorConfig
from tui_batch.simulator.core import Simulator
from tui_batch.simulator.wire import Delivery, SimResponse, json_response

_DRIBBLES = 20
"""Pieces that a slow body comes in."""
_MOST_BUFFERED = 1024 * 1024
"""Bytes of further requests that may wait while one is being answered."""
_RESET = struct.pack("hh" if sys.platform == "win32" else "ii", 1, 0)
"""SO_LINGER on, with no time: closing sends RST, as a crashed server's machine does."""


class Server:
    """A running simulator."""

    def __init__(self, simulator: Simulator, host: str, port: int) -> None:
        self.simulator = simulator
        self.host = host
        self.port = port
        """The port in use, chosen by the system when 0 was asked for."""

    @property
    def base_url(self) -> str:
        """Without a trailing slash and without `/v1`: what Anthropic's and Ollama's clients want."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"

    @property
    def openai_url(self) -> str:
        """With `/v1`: what OpenAI's clients want."""
        return f"{self.base_url}/v1"


@asynccontextmanager
async def serve(
    config: SimulatorConfig | None = None,
    host: str = "127.0.0.1",
    port: int = 0,
    clock: Clock | None = None,
    *,
    simulator: Simulator | None = None,
) -> AsyncIterator[Server]:
    """Runs a simulator until the block ends; then open connections are cut. Raises UserError when the port is taken.

    `simulator`: one that is there already, with its score and its limits, takes the place of a new one.
    """
    simulator = simulator or Simulator(config, clock)
    connections: set[_Connection] = set()
    loop = asyncio.get_running_loop()
    try:
        listener = await loop.create_server(lambda: _Connection(simulator, connections), host, port, backlog=4096)
    except OSError as error:
        raise UserError(
            f"cannot listen on {host}:{port}: {error.strerror or error}", remedy="Choose another port with --port."
        ) from None
    try:
        yield Server(simulator, host, listener.sockets[0].getsockname()[1])
    finally:
        listener.close()
        tasks = [task for connection in list(connections) if (task := connection.cut())]
        await asyncio.gather(*tasks, return_exceptions=True)
        await listener.wait_closed()


class _Connection(asyncio.Protocol):
    """One client's connection: reads a request, answers it, reads the next."""

    def __init__(self, simulator: Simulator, connections: set[_Connection]) -> None:
        self._simulator = simulator
        self._connections = connections
        self._reader = http1.RequestReader(simulator.config.max_body_bytes)
        self._transport: asyncio.Transport | None = None
        self._task: asyncio.Task[None] | None = None
        self._paused = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._connections.discard(self)
        self._transport = None
        # A client that went away gets no further work: its slot is free again.
        if self._task:
            self._task.cancel()

    def data_received(self, data: bytes) -> None:
        self._reader.feed(data)
        if self._task is None:
            self._advance()
        elif self._reader.buffered > _MOST_BUFFERED and self._transport and not self._paused:
            self._paused = True
            self._transport.pause_reading()

    def cut(self) -> asyncio.Task[None] | None:
        """Ends the connection now and returns what is left to wait for."""
        if self._transport:
            self._transport.abort()
        if self._task:
            self._task.cancel()
        return self._task

    def _advance(self) -> None:
        """Starts on the next request if all of it is there."""
        try:
            arrival = self._reader.next()
        except http1.BadRequest as error:
            self._refuse(error)
            return
        if arrival is None:
            interim = self._reader.interim()
            if interim and self._transport:
                self._transport.write(interim)
            return
        self._task = asyncio.get_running_loop().create_task(self._answer(arrival))
        self._task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        """Tells of a mistake in the simulator instead of leaving the client to wait for ever."""
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self._task = None
            if self._transport:
                self._transport.abort()
            context = {"message": "the simulator failed to answer", "exception": error}
            asyncio.get_running_loop().call_exception_handler(context)

    async def _answer(self, arrival: http1.Arrival) -> None:
        response = await self._simulator.handle(arrival.request)
        try:
            await self._deliver(response, arrival)
        finally:
            response.done()
        self._task = None
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        if not arrival.keep_alive:
            transport.close()
            return
        if self._paused:
            self._paused = False
            transport.resume_reading()
        if self._reader.buffered:
            self._advance()

    async def _deliver(self, response: SimResponse, arrival: http1.Arrival) -> None:
        transport = self._transport
        if transport is None:
            return
        match response.delivery:
            case Delivery.WHOLE:
                transport.write(http1.whole(response, arrival.request.method, keep_alive=arrival.keep_alive))
            case Delivery.STREAM:
                await self._stream(transport, response, arrival)
            case Delivery.DRIBBLE:
                await self._dribble(transport, response, arrival)
            case Delivery.RESET:
                _reset(transport)
            case Delivery.STALL:
                transport.write(_first_half(response, arrival))
                await self._simulator.clock.sleep(self._simulator.config.hang_s)
                transport.abort()
            case Delivery.HANG:
                await self._simulator.clock.sleep(self._simulator.config.hang_s)
                transport.abort()

    async def _stream(self, transport: asyncio.Transport, response: SimResponse, arrival: http1.Arrival) -> None:
        head, chunks = _stream_head(response, arrival), response.chunks
        if not response.pace_s:
            transport.writelines([head, *map(http1.chunk, chunks), http1.LAST_CHUNK])
            return
        transport.write(head)
        for number, data in enumerate(chunks):
            if number:
                await self._simulator.clock.sleep(response.pace_s / (len(chunks) - 1))
            transport.write(http1.chunk(data))
        transport.write(http1.LAST_CHUNK)

    async def _dribble(self, transport: asyncio.Transport, response: SimResponse, arrival: http1.Arrival) -> None:
        data = http1.whole(response, arrival.request.method, keep_alive=arrival.keep_alive)
        size = max(len(data) // _DRIBBLES, 1)
        starts = range(0, len(data), size)
        for start in starts:
            await self._simulator.clock.sleep(self._simulator.config.slow_body_s / len(starts))
            transport.write(data[start : start + size])

    def _refuse(self, error: http1.BadRequest) -> None:
        transport = self._transport
        if transport is None:
            return
        response = json_response(error.status, {"error": {"message": error.reason, "type": "invalid_request_error"}})
        transport.write(http1.whole(response, "GET", keep_alive=False))
        transport.close()


def _stream_head(response: SimResponse, arrival: http1.Arrival) -> bytes:
    framing = "transfer-encoding: chunked"
    return http1.response_head(response.status, response.headers, framing, keep_alive=arrival.keep_alive)


def _first_half(response: SimResponse, arrival: http1.Arrival) -> bytes:
    """What a client sees of an answer that stalls."""
    chunks = response.chunks
    if len(chunks) > 1:
        return _stream_head(response, arrival) + b"".join(map(http1.chunk, chunks[: len(chunks) // 2]))
    whole = http1.whole(response, arrival.request.method, keep_alive=arrival.keep_alive)
    return whole[: len(whole) - len(response.body) // 2 - 1]


def _reset(transport: asyncio.Transport) -> None:
    """Cuts the connection so that the client sees a reset and not an orderly end."""
    connection = transport.get_extra_info("socket")
    if connection is not None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    transport.abort()

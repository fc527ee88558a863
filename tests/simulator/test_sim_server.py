"""The simulator on a real port."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from tui_batch.errors import UserError
from tui_batch.simulator.config import SimulatorConfig
from tui_batch.simulator.faults import parse_faults
from tui_batch.simulator.latency import Latency
from tui_batch.simulator.server import Server, serve

CHAT = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "Tell me about the sea"}]}


@asynccontextmanager
async def client_of(**fields: Any) -> AsyncIterator[tuple[Server, httpx.AsyncClient]]:
    async with serve(SimulatorConfig(**fields)) as server, httpx.AsyncClient(base_url=server.base_url) as client:
        yield server, client


async def until(condition: Any) -> None:
    """Waits for something that another task does."""
    while not condition():
        await asyncio.sleep(0.001)


async def test_many_requests_at_once_over_kept_connections() -> None:
    async with client_of() as (server, client):
        asks = [{**CHAT, "messages": [{"role": "user", "content": f"Tell me about sea {n}"}]} for n in range(200)]
        responses = await asyncio.gather(*(client.post("/v1/chat/completions", json=ask) for ask in asks))
        assert {response.status_code for response in responses} == {200}
        texts = [response.json()["choices"][0]["message"]["content"] for response in responses]
        again = (await client.post("/v1/chat/completions", json=asks[7])).json()
        assert again["choices"][0]["message"]["content"] == texts[7]
        score = (await client.get("/_sim/score")).json()
        assert score["seen"] == server.simulator.score.seen == 201


async def test_chunked_requests_head_and_large_bodies() -> None:
    async def parts() -> AsyncIterator[bytes]:
        data = json.dumps(CHAT).encode()
        for start in range(0, len(data), 20):
            yield data[start : start + 20]

    async with client_of() as (_, client):
        assert (await client.post("/v1/chat/completions", content=parts())).status_code == 200
        head = await client.head("/")
        assert (head.status_code, head.content) == (200, b"")
        assert (await client.get("/")).text == "Ollama is running"
        long = {**CHAT, "messages": [{"role": "user", "content": "x" * 400_000}]}
        assert (await client.post("/v1/chat/completions", json=long)).status_code == 200


async def test_too_large_a_body_gets_413() -> None:
    async with client_of(max_body_bytes=1000) as (_, client):
        response = await client.post("/v1/chat/completions", content=b"x" * 1001)
        assert response.status_code == 413
        assert response.headers["connection"] == "close"


async def test_a_length_of_thousands_of_digits_gets_413() -> None:
    async with client_of() as (server, _):
        reader, writer = await asyncio.open_connection(server.host, server.port)
        writer.write(b"POST /v1/messages HTTP/1.1\r\nContent-Length: " + b"9" * 5_000 + b"\r\n\r\n")
        assert (await reader.readline()).startswith(b"HTTP/1.1 413 ")
        writer.close()
        await writer.wait_closed()


async def test_two_requests_sent_at_once_are_answered_in_order() -> None:
    async with serve() as server:
        reader, writer = await asyncio.open_connection(server.host, server.port)
        writer.write(b"GET /api/version HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\nConnection: close\r\n\r\n")
        data = await reader.read()
        assert data.count(b"HTTP/1.1 200 OK") == 2
        assert data.index(b"version") < data.index(b"Ollama is running")
        writer.close()
        await writer.wait_closed()


async def test_a_reset_is_a_broken_connection_and_a_hang_is_silence() -> None:
    async with client_of(faults=parse_faults("reset=1")) as (server, client):
        with pytest.raises(httpx.NetworkError):
            await client.post("/v1/chat/completions", json=CHAT)
        assert server.simulator.score.accepted == 1
    async with client_of(faults=parse_faults("hang=1")) as (_, client):
        with pytest.raises(httpx.ReadTimeout):
            await client.post("/v1/chat/completions", json=CHAT, timeout=httpx.Timeout(None, read=0.2))


async def test_a_slow_body_arrives_whole() -> None:
    async with client_of(faults=parse_faults("slow=1"), slow_body_s=0.1) as (_, client):
        response = await client.post("/v1/chat/completions", json=CHAT)
        assert response.json()["choices"][0]["finish_reason"] == "stop"


async def test_a_client_that_hangs_up_frees_its_slot() -> None:
    async with client_of(latency=Latency(first_token_s=3600), slots=1) as (server, client):
        task = asyncio.create_task(client.post("/v1/chat/completions", json=CHAT, timeout=None))
        await until(lambda: server.simulator.slots.busy == 1)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await until(lambda: server.simulator.slots.busy == 0)
        assert server.simulator.score.abandoned == 1


async def test_stopping_the_server_ends_what_is_open() -> None:
    async with httpx.AsyncClient() as client:
        async with serve(SimulatorConfig(latency=Latency(first_token_s=3600))) as server:
            task = asyncio.create_task(client.post(f"{server.openai_url}/chat/completions", json=CHAT, timeout=None))
            await until(lambda: server.simulator.slots.busy == 1)
        with pytest.raises(httpx.TransportError):
            await task
        with pytest.raises(httpx.ConnectError):
            await client.get(server.base_url)


async def test_a_taken_port_is_told() -> None:
    async with serve() as server:
        with pytest.raises(UserError, match=f"cannot listen on 127.0.0.1:{server.port}"):
            async with serve(port=server.port):
                pass

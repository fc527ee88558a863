"""The official Ollama client against the simulator, unchanged."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager
from typing import Any

import pytest

MODEL = "llama3.2:3b"
USER: Any = [{"role": "user", "content": "Tell me about the sea"}]


@asynccontextmanager
async def client_of(server: Any) -> Any:
    import ollama

    client = ollama.AsyncClient(host=server.base_url)
    yield client
    await client._client.aclose()


async def test_chat_and_generate_plain_and_streamed(serving: Any) -> None:
    async with serving() as server, client_of(server) as client:
        chat = await client.chat(model=MODEL, messages=USER)
        streamed = [part async for part in await client.chat(model=MODEL, messages=USER, stream=True)]
        assert "".join(part.message.content for part in streamed) == chat.message.content
        assert (streamed[-1].done, streamed[-1].eval_count) == (True, chat.eval_count)
        generated = await client.generate(model=MODEL, prompt="Tell me about the sea")
        parts = [part async for part in await client.generate(model=MODEL, prompt="Tell me about the sea", stream=True)]
        assert "".join(part.response for part in parts) == generated.response
        assert generated.done_reason == "stop"


async def test_a_schema_is_met(serving: Any) -> None:
    schema = {"type": "object", "properties": {"mood": {"enum": ["positive", "neutral", "negative"]}}}
    messages: Any = [{"role": "user", "content": "Message: this is awful, I hate it"}]
    async with serving() as server, client_of(server) as client:
        answer = await client.chat(model=MODEL, messages=messages, format=schema)
        assert json.loads(answer.message.content) == {"mood": "negative"}


async def test_embeddings_of_one_and_of_many(serving: Any) -> None:
    async with serving() as server, client_of(server) as client:
        many = await client.embed(model="nomic-embed-text", input=["a cat", "a dog"])
        assert [len(vector) for vector in many.embeddings] == [768, 768]
        assert len((await client.embed(model="nomic-embed-text", input="a cat", dimensions=32)).embeddings[0]) == 32


async def test_listings(serving: Any) -> None:
    async with serving() as server, client_of(server) as client:
        assert MODEL in [model.model for model in (await client.list()).models]
        assert (await client.ps()).models == []
        await client.chat(model=MODEL, messages=USER, options={"num_ctx": 2048})
        loaded = (await client.ps()).models
        assert [(model.name, model.context_length) for model in loaded] == [(MODEL, 2048)]
        assert (await client.show(MODEL)).capabilities == ["completion"]


async def test_loading_a_model_without_a_prompt(serving: Any) -> None:
    async with serving() as server, client_of(server) as client:
        assert (await client.generate(model=MODEL)).done_reason == "load"


@pytest.mark.parametrize(
    ("fault", "status", "words"),
    [("500", 500, "terminated"), ("503", 503, "unavailable"), ("429", 429, "too many requests")],
)
async def test_faults_are_response_errors(serving: Any, fault: str, status: int, words: str) -> None:
    import ollama

    async with serving(f"{fault}=1") as server, client_of(server) as client:
        with pytest.raises(ollama.ResponseError, match=words) as caught:
            await client.chat(model=MODEL, messages=USER)
        assert caught.value.status_code == status

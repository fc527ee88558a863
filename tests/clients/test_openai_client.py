"""The official OpenAI client against the simulator, unchanged."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager
from typing import Any, Literal

import pytest
from pydantic import BaseModel

USER: Any = [{"role": "user", "content": "Tell me about the sea"}]


@asynccontextmanager
async def client_of(server: Any, retries: int = 0) -> Any:
    from openai import AsyncOpenAI

    async with AsyncOpenAI(base_url=server.openai_url, api_key="any", max_retries=retries) as client:
        yield client


async def test_chat_plain_and_streamed(serving: Any) -> None:
    async with serving() as server, client_of(server) as client:
        whole = await client.chat.completions.create(model="gpt-4o-mini", messages=USER)
        assert whole.choices[0].finish_reason == "stop"
        assert whole.usage.total_tokens == whole.usage.prompt_tokens + whole.usage.completion_tokens
        assert whole._request_id.startswith("req_")
        text, usage = "", None
        options = {"include_usage": True}
        async for chunk in await client.chat.completions.create(
            model="gpt-4o-mini", messages=USER, stream=True, stream_options=options
        ):
            text += (chunk.choices[0].delta.content or "") if chunk.choices else ""
            usage = chunk.usage or usage
        assert text == whole.choices[0].message.content
        assert usage == whole.usage


async def test_structured_output_is_parsed(serving: Any) -> None:
    class Ticket(BaseModel):
        sentiment: Literal["positive", "neutral", "negative"]
        urgent: bool

    messages: Any = [{"role": "user", "content": "Message: somebody stole my card, this is awful"}]
    async with serving() as server, client_of(server) as client:
        answer = await client.chat.completions.parse(model="gpt-4o-mini", messages=messages, response_format=Ticket)
        assert answer.choices[0].message.parsed.sentiment == "negative"


async def test_a_forced_tool_is_called(serving: Any) -> None:
    tool: Any = {
        "type": "function",
        "function": {
            "name": "paint",
            "parameters": {"type": "object", "properties": {"colour": {"enum": ["red", "blue"]}}},
        },
    }
    choice: Any = {"type": "function", "function": {"name": "paint"}}
    async with serving() as server, client_of(server) as client:
        answer = await client.chat.completions.create(
            model="gpt-4o-mini", messages=USER, tools=[tool], tool_choice=choice
        )
        call = answer.choices[0].message.tool_calls[0].function
        assert call.name == "paint"
        assert json.loads(call.arguments)["colour"] in {"red", "blue"}


async def test_embeddings_in_the_clients_own_encoding(serving: Any) -> None:
    async with serving() as server, client_of(server) as client:
        answer = await client.embeddings.create(
            model="text-embedding-3-small", input=["a cat", "the cat"], dimensions=64
        )
        assert [len(entry.embedding) for entry in answer.data] == [64, 64]
        assert sum(value**2 for value in answer.data[0].embedding) == pytest.approx(1, abs=1e-5)
        plain = await client.embeddings.create(
            model="text-embedding-3-small", input="a cat", dimensions=64, encoding_format="float"
        )
        assert plain.data[0].embedding == pytest.approx(answer.data[0].embedding, abs=1e-6)


async def test_models_are_listed_and_looked_up(serving: Any) -> None:
    async with serving() as server, client_of(server) as client:
        assert "gpt-4o-mini" in [model.id async for model in client.models.list()]
        assert (await client.models.retrieve("gpt-4o-mini")).object == "model"


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("429", "RateLimitError"),
        ("quota", "RateLimitError"),
        ("auth", "AuthenticationError"),
        ("500", "InternalServerError"),
        ("503", "InternalServerError"),
        ("html", "InternalServerError"),
        ("reset", "APIConnectionError"),
    ],
)
async def test_faults_are_the_clients_own_exceptions(serving: Any, fault: str, error: str) -> None:
    import openai

    async with serving(f"{fault}=1") as server, client_of(server) as client:
        with pytest.raises(getattr(openai, error)) as caught:
            await client.chat.completions.create(model="gpt-4o-mini", messages=USER)
        if fault == "quota":
            assert caught.value.code == "insufficient_quota"


async def test_the_clients_own_retries_get_through(serving: Any) -> None:
    async with serving("429=0.5") as server, client_of(server, retries=8) as client:
        for number in range(20):
            messages: Any = [{"role": "user", "content": f"Tell me about sea number {number}"}]
            answer = await client.chat.completions.create(model="gpt-4o-mini", messages=messages)
            assert answer.choices
        assert server.simulator.score.answered == 20
        assert server.simulator.score.faults["429"] > 0


async def test_limit_headers_are_there(serving: Any) -> None:
    async with serving(rpm=10, tpm=1000) as server, client_of(server) as client:
        raw = await client.chat.completions.with_raw_response.create(model="gpt-4o-mini", messages=USER)
        assert raw.headers["x-ratelimit-remaining-requests"] == "9"
        assert int(raw.headers["x-ratelimit-remaining-tokens"]) < 1000


async def test_an_over_long_prompt_is_a_bad_request(serving: Any) -> None:
    import openai

    async with serving(context_window=10) as server, client_of(server) as client:
        with pytest.raises(openai.BadRequestError) as caught:
            await client.chat.completions.create(
                model="gpt-4o-mini", messages=[{"role": "user", "content": "word " * 50}]
            )
        assert caught.value.code == "context_length_exceeded"

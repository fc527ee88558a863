"""The official Anthropic client against the simulator, unchanged."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import Any

import pytest

ASK: Any = {
    "model": "claude-haiku-4-5",
    "max_tokens": 200,
    "messages": [{"role": "user", "content": "Tell me about the sea"}],
}


@asynccontextmanager
async def client_of(server: Any) -> Any:
    from anthropic import AsyncAnthropic

    async with AsyncAnthropic(base_url=server.base_url, api_key="any", max_retries=0) as client:
        yield client


async def test_messages_plain_and_streamed(serving: Any) -> None:
    async with serving() as server, client_of(server) as client:
        whole = await client.messages.create(**ASK)
        assert whole.stop_reason == "end_turn"
        assert whole.usage.output_tokens > 0
        async with client.messages.stream(**ASK) as stream:
            text = "".join([piece async for piece in stream.text_stream])
            final = await stream.get_final_message()
        assert text == whole.content[0].text
        assert (final.stop_reason, final.usage.output_tokens) == ("end_turn", whole.usage.output_tokens)


async def test_a_forced_tool_is_called_also_in_a_stream(serving: Any) -> None:
    tool = {"name": "paint", "input_schema": {"type": "object", "properties": {"colour": {"enum": ["red", "blue"]}}}}
    ask = {**ASK, "tools": [tool], "tool_choice": {"type": "tool", "name": "paint"}}
    async with serving() as server, client_of(server) as client:
        whole = await client.messages.create(**ask)
        assert whole.stop_reason == "tool_use"
        assert whole.content[0].input["colour"] in {"red", "blue"}
        async with client.messages.stream(**ask) as stream:
            final = await stream.get_final_message()
        assert final.content[0].input == whole.content[0].input


async def test_tokens_are_counted_as_billed(serving: Any) -> None:
    async with serving() as server, client_of(server) as client:
        counted = await client.messages.count_tokens(model=ASK["model"], messages=ASK["messages"], system="Be brief")
        answered = await client.messages.create(**ASK, system="Be brief")
        assert counted.input_tokens == answered.usage.input_tokens


async def test_models_are_listed_and_looked_up(serving: Any) -> None:
    async with serving() as server, client_of(server) as client:
        assert "claude-haiku-4-5" in [model.id async for model in client.models.list()]
        assert (await client.models.retrieve("claude-haiku-4-5")).type == "model"


@pytest.mark.parametrize(
    ("fault", "error", "words"),
    [
        ("429", "RateLimitError", "rate_limit_error"),
        ("quota", "BadRequestError", "credit balance"),
        ("auth", "AuthenticationError", "authentication_error"),
        ("500", "InternalServerError", "api_error"),
        ("529", "InternalServerError", "overloaded_error"),
        ("reset", "APIConnectionError", "Connection error"),
    ],
)
async def test_faults_are_the_clients_own_exceptions(serving: Any, fault: str, error: str, words: str) -> None:
    import anthropic

    async with serving(f"{fault}=1") as server, client_of(server) as client:
        with pytest.raises(getattr(anthropic, error), match=words):
            await client.messages.create(**ASK)


async def test_a_refusal_is_a_stop_reason(serving: Any) -> None:
    async with serving("filter=1") as server, client_of(server) as client:
        assert (await client.messages.create(**ASK)).stop_reason == "refusal"

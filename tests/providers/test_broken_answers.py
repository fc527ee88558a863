"""Answers of which only a part is what the format promises: none of it passes for the answer."""

from __future__ import annotations

import base64
import json
import struct
from typing import Any

import orjson
import pytest

from tui_batch.domain.endpoint import Api, Operation
from tui_batch.domain.outcome import Outcome, OutcomeClass
from tui_batch.providers.base import HttpResponse
from tui_batch.providers.registry import provider_for


def decoded(api: Api, body: dict[str, Any]) -> Outcome:
    return provider_for(api).decode(Operation.CHAT, HttpResponse(200, {}, orjson.dumps(body)))


@pytest.mark.parametrize(
    "content",
    [
        *([None], [{}], [[]], ["hi"], [{"text": "hi"}], [{"type": True, "text": "hi"}]),
        *([{"type": "text", "text": None}], [{"type": "text"}]),
        [{"type": "text", "text": "half "}, {"type": "text", "text": 5}],
    ],
)
def test_blocks_that_are_none_are_no_answer(content: list[Any]) -> None:
    message = {"type": "message", "role": "assistant", "content": content, "stop_reason": "end_turn"}
    assert decoded(Api.ANTHROPIC, message).cls is OutcomeClass.MALFORMED


def test_an_answer_without_blocks_is_an_empty_one() -> None:
    outcome = decoded(Api.ANTHROPIC, {"type": "message", "content": [], "stop_reason": "end_turn"})
    assert (outcome.cls, outcome.text) == (OutcomeClass.OK, "")


@pytest.mark.parametrize("content", [[[]], [None], [], [{"type": "text", "text": 5}], [{"type": "text"}]])
def test_parts_that_are_none_are_no_answer(content: list[Any]) -> None:
    choice = {"message": {"role": "assistant", "content": content}, "finish_reason": "stop"}
    assert decoded(Api.OPENAI, {"choices": [choice]}).cls is OutcomeClass.MALFORMED


def test_parts_of_text_beside_others_are_the_answer() -> None:
    parts = [{"type": "thinking", "thinking": []}, {"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    choice = {"message": {"role": "assistant", "content": parts}, "finish_reason": "stop"}
    assert decoded(Api.OPENAI, {"choices": [choice]}).text == "ab"


def nested(depth: int) -> Any:
    value: Any = "x"
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("api", "body"),
    [
        (Api.ANTHROPIC, {"content": [{"type": "tool_use", "input": nested(400)}], "stop_reason": "tool_use"}),
        (Api.OLLAMA, {"message": {"tool_calls": [nested(400)]}, "done": True, "done_reason": "stop"}),
        (Api.OPENAI, {"choices": [{"message": {"tool_calls": [nested(400)]}, "finish_reason": "tool_calls"}]}),
    ],
)
def test_calls_nested_too_deep_to_be_kept_are_no_empty_answer(api: Api, body: dict[str, Any]) -> None:
    data = json.dumps(body).encode()  # orjson reads it and does not write it
    assert provider_for(api).decode(Operation.CHAT, HttpResponse(200, {}, data)).cls is OutcomeClass.MALFORMED


NAN = base64.b64encode(struct.pack("<2f", 1.0, float("nan"))).decode()


@pytest.mark.parametrize(
    ("api", "body"),
    [
        *((Api.OLLAMA, {"embeddings": [vector]}) for vector in (["a"], [0.5, None], [True], [[0.5]], [])),
        *((Api.OPENAI, {"data": [{"embedding": vector}]}) for vector in ([0.5, None], [True], NAN)),
    ],
)
def test_a_vector_of_anything_but_numbers_is_none(api: Api, body: dict[str, Any]) -> None:
    outcome = provider_for(api).decode(Operation.EMBED, HttpResponse(200, {}, orjson.dumps(body)))
    assert outcome.cls is OutcomeClass.MALFORMED


@pytest.mark.parametrize(
    ("indexes", "cls"),
    [
        ([2, 0, 1], OutcomeClass.OK),
        ([None, None], OutcomeClass.OK),
        ([0, 0], OutcomeClass.OK),  # a server that numbers nothing: they stand in their order
        ([5], OutcomeClass.OK),
        ([0, 2], OutcomeClass.MALFORMED),
        ([3, 1, 2], OutcomeClass.MALFORMED),
    ],
)
def test_vectors_are_not_given_to_the_wrong_texts_where_one_is_missing(
    indexes: list[int | None], cls: OutcomeClass
) -> None:
    body = {"data": [{"index": index, "embedding": [0.5, float(n)]} for n, index in enumerate(indexes)]}
    outcome = provider_for(Api.OPENAI).decode(Operation.EMBED, HttpResponse(200, {}, orjson.dumps(body)))
    assert outcome.cls is cls

"""Answers of which only a part is what the format promises: none of it passes for the answer."""

from __future__ import annotations

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

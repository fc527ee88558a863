"""Asking again in other words: each kind of request goes on with its conversation."""

from __future__ import annotations

from tui_batch.domain.endpoint import Operation
from tui_batch.domain.request import Message, PromptRequest
from tui_batch.engine.correction import SHOWN, corrected

SYSTEM, USER = Message("system", "S"), Message("user", "U")


def test_a_chat_goes_on() -> None:
    found = corrected(PromptRequest(Operation.CHAT, (SYSTEM, USER)), "A", "it is wrong")
    assert found is not None
    assert found.messages[:3] == (SYSTEM, USER, Message("assistant", "A"))
    assert "not accepted: it is wrong." in found.messages[3].content
    assert len(found.messages) == 4


def test_a_ready_body_keeps_everything_else() -> None:
    body = {"model": "m", "messages": [{"role": "user", "content": "U"}], "seed": 1}
    found = corrected(PromptRequest(Operation.CHAT, (USER,), body=body), "A", "wrong")
    assert found is not None
    assert found.body is not None
    assert found.body["seed"] == 1
    assert [turn["role"] for turn in found.body["messages"]] == ["user", "assistant", "user"]
    assert len(body["messages"]) == 1


def test_a_single_prompt_gets_the_answer_behind_it() -> None:
    found = corrected(PromptRequest(Operation.GENERATE, (SYSTEM, USER)), "A", "wrong")
    assert found is not None
    assert found.messages[0] == SYSTEM
    assert found.messages[1].content.startswith("U\n\nA first answer was:\nA\n\n")


def test_an_embedding_has_nothing_to_go_on_with() -> None:
    assert corrected(PromptRequest(Operation.EMBED, (USER,)), "[1]", "wrong") is None


def test_a_rambling_answer_is_cut_and_an_empty_one_is_said() -> None:
    found = corrected(PromptRequest(Operation.CHAT, (USER,)), "x" * 100_000, "wrong")
    empty = corrected(PromptRequest(Operation.CHAT, (USER,)), "", "wrong")
    assert found is not None
    assert empty is not None
    assert len(found.messages[1].content) == SHOWN
    assert empty.messages[1].content

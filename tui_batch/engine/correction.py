"""Asking again with the answer that failed and what was wrong with it. Pure functions."""

from __future__ import annotations

from dataclasses import replace

from tui_batch.domain.endpoint import Operation
from tui_batch.domain.request import Message, PromptRequest

SHOWN = 8_000
"""Characters of the failed answer that are sent back: a model that rambled must not fill the next prompt."""


def corrected(request: PromptRequest, answer: str, wrong: str) -> PromptRequest | None:
    """The request with a failed answer and the reason appended; None where there is no conversation to go on with.

    Nothing of the row but what it asked is sent: the reason never holds a reference answer.
    """
    answer = answer[:SHOWN] or "(an empty answer)"
    demand = f"That answer was not accepted: {wrong}. Answer again, and give only what was asked for."
    if request.operation is Operation.GENERATE and request.messages:
        *others, last = request.messages
        prompt = f"{last.content}\n\nA first answer was:\n{answer}\n\n{demand}"
        return replace(request, messages=(*others, replace(last, content=prompt)))
    if request.operation is not Operation.CHAT:
        return None
    turns = (Message("assistant", answer), Message("user", demand))
    if request.body is None:
        return replace(request, messages=(*request.messages, *turns))
    more = [{"role": turn.role, "content": turn.content} for turn in turns]
    body = {**request.body, "messages": [*request.body["messages"], *more]}
    return replace(request, messages=(*request.messages, *turns), body=body)

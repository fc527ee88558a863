"""What each service says when it turns a request away for a reason that has figures in it."""

from __future__ import annotations

import math

from tui_batch.domain.endpoint import Api, Operation
from tui_batch.simulator.limits import Exceeded
from tui_batch.simulator.wire import Problem, Trouble


def no_model(api: Api, model: str) -> Problem:
    """The model is not on the list."""
    text = {
        Api.OPENAI: f"The model `{model}` does not exist or you do not have access to it.",
        Api.ANTHROPIC: f"model: {model}",
        Api.OLLAMA: f'model "{model}" not found, try pulling it first',
    }[api]
    return Problem(Trouble.NO_MODEL, text)


def not_for(api: Api, model: str, operation: Operation) -> Problem:
    """An embedding model was asked to talk."""
    if api is Api.OLLAMA:
        return Problem(Trouble.INVALID, f'"{model}" does not support {operation.value}')
    text = "This is not a chat model and thus not supported in the v1/chat/completions endpoint."
    return Problem(Trouble.NO_MODEL, text, param="model")


def too_long(api: Api, needed: int, window: int) -> Problem:
    """The prompt does not fit into the context window."""
    text = {
        Api.OPENAI: (
            f"This model's maximum context length is {window} tokens. However, your messages resulted in {needed} "
            "tokens. Please reduce the length of the messages."
        ),
        Api.ANTHROPIC: f"prompt is too long: {needed} tokens > {window} maximum",
        Api.OLLAMA: "the input length exceeds the context length",
    }[api]
    return Problem(Trouble.CONTEXT, text, param="messages" if api is Api.OPENAI else None)


def rate_limited(model: str, exceeded: Exceeded, limit: int, amount: int, wait_s: float) -> Problem:
    """A limit per minute was reached; the wait is when the request would fit."""
    trouble = Trouble.REQUESTS if exceeded is Exceeded.REQUESTS else Trouble.TOKENS
    name = "requests per min (RPM)" if exceeded is Exceeded.REQUESTS else "tokens per min (TPM)"
    if math.isinf(wait_s):
        text = f"Request too large for {model} on {name}: Limit {limit}, Requested {amount}. Reduce it to run."
        return Problem(trouble, text)
    text = f"Rate limit reached for {model} on {name}: Limit {limit}. Please try again in {wait_s:.3f}s."
    return Problem(trouble, text, retry_after_s=wait_s)

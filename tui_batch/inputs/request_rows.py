"""Rows that are ready requests: OpenAI Batch lines and bare request bodies."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tui_batch.domain.endpoint import Operation
from tui_batch.inputs.rows import short

_URLS: Mapping[str, Operation] = {
    "/chat/completions": Operation.CHAT,
    "/embeddings": Operation.EMBED,
}

_LONGEST = 80
"""Characters of a value in a message."""
BODY_FIELDS = frozenset(
    {
        # OpenAI API reference, chat completions and embeddings.
        "audio", "dimensions", "encoding_format", "frequency_penalty", "function_call", "functions", "input",
        "logit_bias", "logprobs", "max_completion_tokens", "max_tokens", "messages", "metadata", "modalities",
        "model", "n", "parallel_tool_calls", "prediction", "presence_penalty", "prompt_cache_key",
        "reasoning_effort", "response_format", "safety_identifier", "seed", "service_tier", "stop", "store",
        "stream", "stream_options", "temperature", "tool_choice", "tools", "top_logprobs", "top_p", "user",
        "verbosity", "web_search_options",
        # Common additions of compatible servers.
        "guided_json", "guided_regex", "min_p", "repetition_penalty", "top_k", "chat_template_kwargs",
        # Anthropic's and Ollama's own.
        "stop_sequences", "system", "thinking", "format", "keep_alive", "options", "think", "truncate",
    }
)  # fmt: skip
"""Top-level fields by which a line is known as a request body and not as columns."""


def batch_operation(url: Any) -> Operation | None:
    """What a batch line's url asks for; None when this program cannot send it."""
    if not isinstance(url, str):
        return None
    for ending, operation in _URLS.items():
        if url.rstrip("/").endswith(ending):
            return operation
    return None


def body_operation(body: Mapping[str, Any]) -> Operation | None:
    """What a bare body asks for: messages are a chat, input is an embedding; None when it is neither."""
    if isinstance(body.get("messages"), list) and body["messages"]:
        return Operation.CHAT
    return Operation.EMBED if isinstance(body.get("input"), str | list) and body["input"] else None


def why_not_batch(line: Any) -> str:
    """Why a value is no usable OpenAI Batch line; empty when it is one."""
    if not isinstance(line, dict):
        return "is not a JSON object"
    if (method := line.get("method", "POST")) != "POST":
        return f"method: {short(method, _LONGEST)} is not supported; only POST is"
    if "url" not in line or "body" not in line:
        return "is no batch line: it needs custom_id, method, url and body"
    operation = batch_operation(line["url"])
    if operation is None:
        return f"url: {short(line['url'], _LONGEST)} is not supported; /v1/chat/completions and /v1/embeddings are"
    if not isinstance(line["body"], dict):
        return "body: must be a JSON object"
    if body_operation(line["body"]) is not operation:
        return (
            f"body: needs {'messages' if operation is Operation.CHAT else 'input'} for {short(line['url'], _LONGEST)}"
        )
    return ""


def why_not_body(value: Any) -> str:
    """Why a value is no usable request body; empty when it is one."""
    if not isinstance(value, dict):
        return "is not a JSON object"
    if body_operation(value) is None:
        return "is no request body: it needs messages (a chat) or input (an embedding)"
    return ""


def looks_like_batch(value: Any) -> bool:
    """Whether a first line announces an OpenAI Batch file."""
    return isinstance(value, dict) and {"url", "body"} <= value.keys() and isinstance(value["body"], dict)


def looks_like_body(value: Any) -> bool:
    """Whether a line holds a request body and nothing else.

    Text columns may well be called `input`, so an embedding must name its model; messages speak for themselves.
    """
    if not isinstance(value, dict) or not value.keys() <= BODY_FIELDS:
        return False
    operation = body_operation(value)
    if operation is Operation.CHAT:
        return all(isinstance(message, dict) and "role" in message for message in value["messages"])
    return operation is Operation.EMBED and isinstance(value.get("model"), str)

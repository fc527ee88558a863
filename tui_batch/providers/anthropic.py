"""Anthropic's messages format. Source of the facts: Anthropic API reference (messages, errors, structured outputs)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from tui_batch.domain.endpoint import Api, Operation
from tui_batch.domain.outcome import Outcome, OutcomeClass, RateHeaders, Usage
from tui_batch.domain.request import Message, PromptRequest
from tui_batch.providers.anthropic_stream import STREAMED, MessageAssembler
from tui_batch.providers.base import Assembler, Encoded, EncodeError, Headers, HttpResponse, ModelInfo
from tui_batch.providers.body import canonical, compact, word
from tui_batch.providers.classify import count_of, error_outcome, malformed, parse_json, wrapped_error
from tui_batch.providers.headers import anthropic_limits, request_id
from tui_batch.providers.streams import with_stream

MESSAGES_PATH = "/v1/messages"
VERSION = "2023-06-01"
DEFAULT_MAX_TOKENS = 1_024
"""The API demands max_tokens; this stands in when the job sets none."""

_NO_SCHEMA = re.compile(r"claude-(?:instant|2|3)|claude-(?:opus|sonnet)-4-(?:0|2025)")
"""Families older than output_config.format: for them the schema is checked on our side only."""
_NEVER_SENT = frozenset({"stream", "strict"})
"""Streaming is the job's business, not a parameter's; `strict` is OpenAI's word, and this format is always strict."""
_RENAMED = {"max_completion_tokens": "max_tokens", "stop": "stop_sequences"}
_LIMITS = frozenset(
    {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minLength", "maxLength", "pattern"}
    | {"maxItems", "uniqueItems", "minProperties", "maxProperties", "$schema", "default", "examples"}
)
"""JSON Schema words that the API refuses. The answer is validated against the whole schema afterwards."""
_TRUNCATED = {
    "max_tokens": "the answer was cut by max_tokens",
    "model_context_window_exceeded": "the answer was cut at the end of the model's context window",
    "pause_turn": "the model paused a long turn before it was finished",
}


class Anthropic:
    """Messages. There are no embeddings in this format."""

    api = Api.ANTHROPIC
    models_path = "/v1/models?limit=1000"

    def encode(self, request: PromptRequest, model: str) -> Encoded:
        """System messages become the top-level `system`; max_tokens is 1,024 unless set."""
        if request.body is not None:
            raise EncodeError("ready request bodies are in OpenAI's format: send them to an OpenAI-compatible endpoint")
        if request.operation is not Operation.CHAT:
            raise EncodeError(f"operation {request.operation} does not exist in Anthropic's format; use chat")
        params = {_RENAMED.get(name, name): value for name, value in request.params.items() if name not in _NEVER_SENT}
        stops = params.get("stop_sequences")
        if isinstance(stops, str):
            params["stop_sequences"] = [stops]
        turns = [{"role": turn.role, "content": turn.content} for turn in request.messages if turn.role != "system"]
        body = {"max_tokens": DEFAULT_MAX_TOKENS, "messages": turns, **params, "model": model}
        system = _system([turn for turn in request.messages if turn.role == "system"])
        if system:
            body.setdefault("system", system)
        if request.schema is not None and not _NO_SCHEMA.match(model):
            wanted = {"type": "json_schema", "schema": fitting_schema(request.schema)}
            body["output_config"] = {"format": wanted, **(params.get("output_config") or {})}
        return Encoded(MESSAGES_PATH, canonical(body), Operation.CHAT)

    def decode(self, operation: Operation, response: HttpResponse) -> Outcome:
        """As Provider.decode."""
        limits = anthropic_limits(response.headers)
        data = parse_json(response.body)
        if not 200 <= response.status < 300:
            return _with_body_id(error_outcome(response, data, limits), data)
        if not isinstance(data, dict):
            return malformed(response, "the answer is not a JSON object", limits)
        return wrapped_error(response, data, limits) or _message(response, data, limits)

    def stream(self, encoded: Encoded) -> Encoded | None:
        """As Provider.stream."""
        return with_stream(encoded, STREAMED)

    def assembler(self, operation: Operation) -> Assembler:
        """As Provider.assembler."""
        return MessageAssembler()

    def auth_headers(self, secret: str | None) -> Headers:
        """The key and the protocol's version."""
        version = ("anthropic-version", VERSION)
        return (("x-api-key", secret), version) if secret else (version,)

    def decode_models(self, response: HttpResponse) -> tuple[ModelInfo, ...]:
        """As Provider.decode_models."""
        data = parse_json(response.body)
        listed = data.get("data") if isinstance(data, Mapping) else None
        if not isinstance(listed, list):
            raise ValueError("the list of models is not in Anthropic's format")
        return tuple(
            ModelInfo(name, count_of(entry, "max_input_tokens"), word(entry.get("display_name")) or "")
            for entry in listed
            if isinstance(entry, Mapping) and (name := word(entry.get("id")))
        )


def fitting_schema(schema: Any) -> Any:
    """The schema as `output_config.format` takes it: objects closed, limits on values left out.

    Keys keep their order: the model writes its answer in that order.
    """
    if isinstance(schema, list):
        return [fitting_schema(part) for part in schema]
    if not isinstance(schema, Mapping):
        return schema
    fitted: dict[str, Any] = {}
    for name, part in schema.items():
        if name in ("properties", "$defs", "definitions") and isinstance(part, Mapping):
            fitted[name] = {key: fitting_schema(value) for key, value in part.items()}
        elif name in ("enum", "const"):
            fitted[name] = part
        elif name not in _LIMITS and not (name == "minItems" and part not in (0, 1)):
            fitted["anyOf" if name == "oneOf" else name] = fitting_schema(part)
    if fitted.get("type") == "object":
        fitted["additionalProperties"] = False
    return fitted


def usage_of(data: Any) -> Usage:
    """Total input is what was read, written to the cache, and read from it; `input_tokens` alone is only the rest."""
    if not isinstance(data, dict):
        return Usage()
    fresh = count_of(data, "input_tokens")
    written = count_of(data, "cache_creation_input_tokens")
    cached = count_of(data, "cache_read_input_tokens")
    return Usage(
        input_tokens=None if fresh is None else fresh + (written or 0) + (cached or 0),
        output_tokens=count_of(data, "output_tokens"),
        cached_tokens=cached,
        cache_write_tokens=written,
        long_write_tokens=count_of(data.get("cache_creation"), "ephemeral_1h_input_tokens"),
        region=word(data.get("inference_geo")),
        web_searches=count_of(data.get("server_tool_use"), "web_search_requests"),
        code_runs=count_of(data.get("server_tool_use"), "code_execution_requests"),
    )


def _system(turns: list[Message]) -> Any:
    """One system text; a single one may be a list of blocks (for prompt caching) and stays as it is."""
    if len(turns) == 1:
        return turns[0].content
    if not all(isinstance(turn.content, str) for turn in turns):
        raise EncodeError("several system messages must all be text")
    return "\n\n".join(turn.content for turn in turns)


def _message(response: HttpResponse, data: Mapping[str, Any], limits: RateHeaders | None) -> Outcome:
    content = data.get("content")
    if not isinstance(content, list):
        return malformed(response, "the answer has no content", limits)
    if not all(map(_is_block, content)):
        return malformed(response, "the answer's content is not in blocks", limits)
    text = _text(content)
    if text is None:
        return malformed(response, "the answer's tool call is nested too deep to be kept", limits)
    reason = word(data.get("stop_reason"))
    outcome = Outcome(
        OutcomeClass.OK,
        text=text,
        usage=usage_of(data.get("usage")),
        finish_reason=reason,
        status=response.status,
        limits=limits,
        request_id=request_id(response.headers),
        model=word(data.get("model")),
        raw=response.body,
    )
    if reason == "refusal":
        return replace(outcome, cls=OutcomeClass.REFUSED, message="the model refused to answer")
    if reason in _TRUNCATED:
        return replace(outcome, cls=OutcomeClass.TRUNCATED, message=_TRUNCATED[reason])
    return outcome


def _is_block(block: Any) -> bool:
    """Whether it is a block that says its type, and a text block holds text: part of an answer is no answer."""
    kind = block.get("type") if isinstance(block, Mapping) else None
    return isinstance(kind, str) and (kind != "text" or isinstance(block.get("text"), str))


def _text(blocks: list[Mapping[str, Any]]) -> str | None:
    """The text blocks joined; tool calls, where there are any, as a JSON list. Thinking is not part of the answer.

    None: the calls are nested too deep to be written.
    """
    calls = [block for block in blocks if block.get("type") == "tool_use"]
    if calls:
        return compact(calls)
    return "".join(block["text"] for block in blocks if block["type"] == "text")


def _with_body_id(outcome: Outcome, data: Any) -> Outcome:
    """Errors name the request in their body too, where a proxy has dropped the header."""
    if outcome.request_id is not None or not isinstance(data, Mapping):
        return outcome
    return replace(outcome, request_id=word(data.get("request_id")))

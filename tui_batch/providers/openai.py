"""The OpenAI wire format, as OpenAI and every compatible server speak it: chat completions and embeddings.

Source of the facts: OpenAI API reference (chat completions, embeddings, errors, rate limits).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import orjson

from tui_batch.domain.endpoint import Api, Operation
from tui_batch.domain.outcome import Outcome, OutcomeClass, RateHeaders, Usage
from tui_batch.domain.request import PromptRequest
from tui_batch.providers.base import Encoded, EncodeError, Headers, HttpResponse, ModelInfo
from tui_batch.providers.body import canonical
from tui_batch.providers.classify import count_of, error_outcome, malformed, parse_json, wrapped_error
from tui_batch.providers.headers import openai_limits, request_id
from tui_batch.providers.redact import clean_message, storable

CHAT_PATH = "/chat/completions"
EMBED_PATH = "/embeddings"
REASONING_MODELS = ("o1", "o3", "o4", "gpt-5")
"""Model families that want max_completion_tokens in place of max_tokens and refuse temperature."""
REFUSED_BY_REASONING = frozenset({"temperature", "top_p", "presence_penalty", "frequency_penalty", "logprobs"})


class OpenAI:
    """Chat completions and embeddings."""

    api = Api.OPENAI
    models_path = "/models"

    def encode(self, request: PromptRequest, model: str) -> Encoded:
        """Parameters are passed through; max_tokens is renamed where a model family wants another word."""
        if request.body is not None:
            return encode_body(request, model)
        if request.operation is Operation.EMBED:
            body = {"model": model, "input": text_of(request), **request.params}
            return Encoded(EMBED_PATH, canonical(body), Operation.EMBED)
        if request.operation is Operation.GENERATE:
            raise EncodeError("operation generate exists only in Ollama's wire format; use chat")
        messages = [{"role": message.role, "content": message.content} for message in request.messages]
        body = {"model": model, "messages": messages, **fitting(request.params, model)}
        if request.schema is not None and "response_format" not in body:
            named = {"name": schema_name(request.schema), "schema": request.schema}
            body["response_format"] = {"type": "json_schema", "json_schema": named}
        body.pop("stream", None)
        return Encoded(CHAT_PATH, canonical(body), Operation.CHAT)

    def decode(self, operation: Operation, response: HttpResponse) -> Outcome:
        """As Provider.decode."""
        limits = openai_limits(response.headers)
        data = parse_json(response.body)
        if not 200 <= response.status < 300:
            return error_outcome(response, data, limits)
        if not isinstance(data, Mapping):
            return malformed(response, "the answer is not a JSON object", limits)
        wrapped = wrapped_error(response, data, limits)
        if wrapped is not None:
            return wrapped
        if operation is Operation.EMBED:
            return _embedding(response, data, limits)
        return _completion(response, data, limits)

    def auth_headers(self, secret: str | None) -> Headers:
        """A bearer token; servers without a key need none."""
        return (("authorization", f"Bearer {secret}"),) if secret else ()

    def decode_models(self, response: HttpResponse) -> tuple[ModelInfo, ...]:
        """As Provider.decode_models."""
        data = parse_json(response.body)
        listed = data.get("data") if isinstance(data, Mapping) else data
        if not isinstance(listed, list):
            raise ValueError("the list of models is not in OpenAI's format")
        return tuple(
            _model(entry) for entry in listed if isinstance(entry, Mapping) and isinstance(entry.get("id"), str)
        )


def encode_body(request: PromptRequest, model: str) -> Encoded:
    """A ready request body: only the model is replaced and streaming is turned off."""
    assert request.body is not None
    body = {name: value for name, value in request.body.items() if name not in ("stream", "stream_options")}
    body["model"] = model
    if "messages" in body:
        return Encoded(CHAT_PATH, canonical(body), Operation.CHAT)
    if "input" in body:
        return Encoded(EMBED_PATH, canonical(body), Operation.EMBED)
    raise EncodeError("a request body needs messages (chat) or input (embeddings)")


def fitting(params: Mapping[str, Any], model: str) -> dict[str, Any]:
    """Parameters as the model's family takes them (OpenAI API reference, reasoning models)."""
    if not model.startswith(REASONING_MODELS):
        return dict(params)
    fitted = {name: value for name, value in params.items() if name not in REFUSED_BY_REASONING}
    if "max_tokens" in fitted:
        fitted.setdefault("max_completion_tokens", fitted.pop("max_tokens"))
    return fitted


def schema_name(schema: Any) -> str:
    """A name for a schema: its own title if the API would take it, else `answer`."""
    title = schema.get("title") if isinstance(schema, Mapping) else None
    fits = isinstance(title, str) and 0 < len(title) <= 64 and title.replace("-", "").replace("_", "").isalnum()
    return title if fits and isinstance(title, str) and title.isascii() else "answer"


def text_of(request: PromptRequest) -> Any:
    """What is to be embedded: the last message's content."""
    if not request.messages:
        raise EncodeError("there is no text to embed")
    return request.messages[-1].content


def usage_of(data: Any) -> Usage:
    """prompt_tokens includes the cached ones, completion_tokens the reasoning ones. Details may be missing."""
    if not isinstance(data, Mapping):
        return Usage()
    return Usage(
        input_tokens=count_of(data, "prompt_tokens"),
        output_tokens=count_of(data, "completion_tokens"),
        cached_tokens=count_of(data.get("prompt_tokens_details"), "cached_tokens"),
        reasoning_tokens=count_of(data.get("completion_tokens_details"), "reasoning_tokens"),
    )


def _completion(response: HttpResponse, data: Mapping[str, Any], limits: RateHeaders | None) -> Outcome:
    choices = data.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices else None
    message = choice.get("message") if isinstance(choice, Mapping) else None
    if not isinstance(choice, Mapping) or not isinstance(message, Mapping):
        return malformed(response, "the answer has no choices[0].message", limits)
    reason = choice.get("finish_reason")
    model = data.get("model")
    text = _content(message)
    outcome = Outcome(
        OutcomeClass.OK,
        text=None if text is None else storable(text),
        usage=usage_of(data.get("usage")),
        finish_reason=reason if isinstance(reason, str) else None,
        status=response.status,
        limits=limits,
        request_id=request_id(response.headers),
        model=model if isinstance(model, str) else None,
        raw=response.body,
    )
    refusal = message.get("refusal")
    if isinstance(refusal, str) and refusal:
        return replace(outcome, cls=OutcomeClass.REFUSED, text=storable(refusal), message=clean_message(refusal))
    if reason == "content_filter":
        return replace(outcome, cls=OutcomeClass.REFUSED, message="the provider's content filter stopped the answer")
    if reason == "length":
        words = "the answer was cut by a length limit"
        return replace(outcome, cls=OutcomeClass.TRUNCATED, text=outcome.text or "", message=words)
    if text is None:
        return replace(malformed(response, "the answer has no content", limits), usage=outcome.usage)
    return outcome


def _content(message: Mapping[str, Any]) -> str | None:
    """The answer's text: content, its text parts, or the tool calls as JSON."""
    content = message.get("content")
    if isinstance(content, str):
        if content or not message.get("tool_calls"):
            return content
    elif isinstance(content, list):
        parts = [part.get("text") for part in content if isinstance(part, Mapping)]
        return "".join(part for part in parts if isinstance(part, str))
    calls = message.get("tool_calls")
    return orjson.dumps(calls).decode() if isinstance(calls, list) and calls else None


def _embedding(response: HttpResponse, data: Mapping[str, Any], limits: RateHeaders | None) -> Outcome:
    listed = data.get("data")
    entries = [entry for entry in listed if isinstance(entry, Mapping)] if isinstance(listed, list) else []
    entries.sort(key=lambda entry: entry["index"] if isinstance(entry.get("index"), int) else 0)
    vectors = [entry.get("embedding") for entry in entries]
    if not vectors or not all(vectors):
        return malformed(response, "the answer has no data[0].embedding", limits)
    model = data.get("model")
    return Outcome(
        OutcomeClass.OK,
        text=orjson.dumps(vectors[0] if len(vectors) == 1 else vectors).decode(),
        usage=replace(usage_of(data.get("usage")), output_tokens=0),
        status=response.status,
        limits=limits,
        request_id=request_id(response.headers),
        model=model if isinstance(model, str) else None,
        raw=response.body,
    )


def _model(entry: Mapping[str, Any]) -> ModelInfo:
    length = next(
        (value for name in ("context_length", "max_model_len", "context_window") if (value := count_of(entry, name))),
        None,
    )
    owner = entry.get("owned_by")
    return ModelInfo(entry["id"], length, owner if isinstance(owner, str) else "")

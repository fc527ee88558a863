"""The OpenAI wire format, as OpenAI and every compatible server speak it: chat completions and embeddings.

Source of the facts: OpenAI API reference (chat completions, embeddings, errors, rate limits).
"""

from __future__ import annotations

import base64
import re
import struct
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from tui_batch.domain.endpoint import Api, Operation
from tui_batch.domain.outcome import Outcome, OutcomeClass, RateHeaders, Usage
from tui_batch.domain.request import PromptRequest
from tui_batch.providers.base import Assembler, Encoded, EncodeError, Headers, HttpResponse, ModelInfo
from tui_batch.providers.body import canonical, compact, is_vector, word
from tui_batch.providers.classify import count_of, error_outcome, malformed, parse_json, wrapped_error
from tui_batch.providers.headers import openai_limits, request_id
from tui_batch.providers.openai_stream import STREAMED, ChatAssembler
from tui_batch.providers.redact import clean_message
from tui_batch.providers.streams import with_stream

CHAT_PATH = "/chat/completions"
EMBED_PATH = "/embeddings"
REASONING_MODELS = ("o1", "o3", "o4", "gpt-5")
"""Model families that want max_completion_tokens in place of max_tokens."""
FILTERED = frozenset({"content_filter", "safety", "recitation", "prohibited_content", "blocklist", "spii"})
CUT = frozenset({"length", "max_tokens", "model_length", "max_output_tokens"})
"""OpenAI says length, Mistral model_length too, some servers what their own engine calls it."""
BROKEN = {
    "error": OutcomeClass.SERVER_ERROR,
    "abort": OutcomeClass.SERVER_ERROR,
    "insufficient_system_resource": OutcomeClass.OVERLOADED,
}
"""An answer that ended half way: OpenRouter, vLLM and SGLang, DeepSeek."""
_FIXED_SAMPLING = re.compile(r"(?:o[134](?:-.+)?|gpt-5(?:-(?:mini|nano|pro|codex))?(?:-\d{4}-.+)?)\Z")
"""Models that answer 400 to any temperature but 1. gpt-5-chat and gpt-5.1 and later are not among them (recall)."""
_SAMPLING = frozenset({"temperature", "top_p", "presence_penalty", "frequency_penalty"})
_SCHEMA_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}\Z")
_NEVER_SENT = frozenset({"stream", "stream_options", "strict"})


class OpenAI:
    """Chat completions and embeddings."""

    api = Api.OPENAI
    models_path = "/models"

    def encode(self, request: PromptRequest, model: str) -> Encoded:
        """Parameters are passed through; max_tokens is renamed where a model family wants another word."""
        if request.body is not None:
            return encode_body(request, model)
        if request.operation is Operation.GENERATE:
            raise EncodeError("operation generate exists only in Ollama's format; use chat")
        params = fitting(request.params, model)
        if request.operation is Operation.EMBED:
            return Encoded(
                EMBED_PATH, canonical({"input": text_of(request), **params, "model": model}), Operation.EMBED
            )
        messages = [{"role": message.role, "content": message.content} for message in request.messages]
        body = {"messages": messages, **params, "model": model}
        if request.schema is not None:
            body.setdefault("response_format", response_format(request.schema, request.params.get("strict")))
        return Encoded(CHAT_PATH, canonical(body), Operation.CHAT)

    def decode(self, operation: Operation, response: HttpResponse) -> Outcome:
        """As Provider.decode."""
        limits = openai_limits(response.headers)
        data = parse_json(response.body)
        if not 200 <= response.status < 300:
            return error_outcome(response, data, limits)
        if not isinstance(data, dict):
            return malformed(response, "the answer is not a JSON object", limits)
        wrapped = wrapped_error(response, data, limits)
        if wrapped is not None:
            return wrapped
        if operation is Operation.EMBED:
            return _embedding(response, data, limits)
        return _completion(response, data, limits)

    def stream(self, encoded: Encoded) -> Encoded | None:
        """As Provider.stream."""
        return None if encoded.operation is Operation.EMBED else with_stream(encoded, STREAMED)

    def assembler(self, operation: Operation) -> Assembler:
        """As Provider.assembler."""
        return ChatAssembler()

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
    """A ready request body: only the model is replaced, and streaming is left to the job."""
    assert request.body is not None
    body = {name: value for name, value in request.body.items() if name not in ("stream", "stream_options")}
    if model:
        body["model"] = model
    if "messages" in body:
        return Encoded(CHAT_PATH, canonical(body), Operation.CHAT)
    if "input" in body:
        return Encoded(EMBED_PATH, canonical(body), Operation.EMBED)
    raise EncodeError("a request body needs messages (chat) or input (embeddings)")


def fitting(params: Mapping[str, Any], model: str) -> dict[str, Any]:
    """Parameters as the model's family takes them (OpenAI API reference, reasoning models).

    Sampling parameters that a family has no use for are left out: a job's `temperature: 0` would kill every row.
    """
    if not params:
        return {}
    dropped = _NEVER_SENT | _SAMPLING if _FIXED_SAMPLING.match(model) else _NEVER_SENT
    fitted = {name: value for name, value in params.items() if name not in dropped}
    if "max_tokens" in fitted and model.startswith(REASONING_MODELS):
        limit = fitted.pop("max_tokens")
        fitted.setdefault("max_completion_tokens", limit)
    return fitted


def response_format(schema: Any, strict: Any) -> dict[str, Any]:
    """Structured output. `strict` is sent only when the job sets it: strict schemas must follow further rules."""
    named = {"name": schema_name(schema), "schema": schema}
    if strict is not None:
        named["strict"] = strict
    return {"type": "json_schema", "json_schema": named}


def schema_name(schema: Any) -> str:
    """A name for a schema: its own title where the API takes it, else `answer`."""
    title = schema.get("title") if isinstance(schema, Mapping) else None
    return title if isinstance(title, str) and _SCHEMA_NAME.match(title) else "answer"


def text_of(request: PromptRequest) -> Any:
    """What is to be embedded: the last message's content."""
    if not request.messages:
        raise EncodeError("there is no text to embed")
    return request.messages[-1].content


def usage_of(data: Any, tier: Any = None) -> Usage:
    """prompt_tokens includes the cached ones, completion_tokens the reasoning ones. Details may be missing.

    `tier`: the answer's service_tier, the one that was billed.
    """
    if not isinstance(data, dict):
        return Usage()
    given, made = data.get("prompt_tokens_details"), data.get("completion_tokens_details")
    cached, reasoning = count_of(given, "cached_tokens"), count_of(made, "reasoning_tokens")
    prompt, answer = count_of(data, "prompt_tokens"), count_of(data, "completion_tokens")
    return Usage(
        input_tokens=prompt,
        output_tokens=_output_tokens(prompt, answer, count_of(data, "total_tokens"), reasoning),
        cached_tokens=count_of(data, "prompt_cache_hit_tokens") if cached is None else cached,  # DeepSeek's name
        cache_write_tokens=count_of(given, "cache_write_tokens"),
        sound_tokens=count_of(given, "audio_tokens"),
        spoken_tokens=count_of(made, "audio_tokens"),
        tier=word(tier),
    )


def _output_tokens(given: int | None, made: int | None, total: int | None, reasoning: int | None) -> int | None:
    """All answer tokens. Gemini and xAI leave the reasoning out of completion_tokens, but not out of the total.

    (mozilla-ai/any-llm, issue 1290; Gemini's usageMetadata counts thoughts as output.)
    """
    if given is None or total is None:
        return made
    rest = total - given
    # More than reasoning can explain is a total that counts something else.
    return rest if made is not None and made < rest <= made + (rest if reasoning is None else reasoning) else made


def _completion(response: HttpResponse, data: Mapping[str, Any], limits: RateHeaders | None) -> Outcome:
    choices = data.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices else None
    if not isinstance(choice, dict):
        return malformed(response, "the answer has no choices", limits)
    broken = wrapped_error(response, choice, limits)
    if broken is not None:
        return broken
    given = choice.get("message")
    message = given if isinstance(given, dict) else {"content": choice.get("text")}  # text: legacy completions
    text = _content(message)
    outcome = Outcome(
        OutcomeClass.OK,
        text=text,
        usage=usage_of(data.get("usage"), data.get("service_tier")),
        finish_reason=word(choice.get("finish_reason")),
        status=response.status,
        limits=limits,
        request_id=request_id(response.headers),
        model=word(data.get("model")),
        raw=response.body,
    )
    refusal = word(message.get("refusal"))
    if refusal:
        return replace(outcome, cls=OutcomeClass.REFUSED, text=refusal, message=clean_message(refusal))
    return _by_finish(outcome, response, word(message.get("reasoning_content") or message.get("reasoning")))


def _by_finish(outcome: Outcome, response: HttpResponse, reasoning: str | None) -> Outcome:
    """What the finish reason makes of an answer."""
    reason = outcome.finish_reason or ""
    if reason in FILTERED:
        return replace(outcome, cls=OutcomeClass.REFUSED, message="the provider's content filter stopped the answer")
    if reason in CUT:
        words = "the answer was cut by a length limit"
        if reasoning and not outcome.text:
            words = "the length limit was spent on reasoning before the answer began"
        return replace(outcome, cls=OutcomeClass.TRUNCATED, text=outcome.text or "", message=words)
    if reason in BROKEN:
        cls = BROKEN[reason]
        return replace(outcome, cls=cls, message=f"the server gave up on the answer (finish_reason {reason})")
    if outcome.text is None:
        why = "the answer has reasoning but no content" if reasoning else "the answer has no content"
        return replace(malformed(response, why, outcome.limits), usage=outcome.usage, model=outcome.model)
    return outcome


def _content(message: Mapping[str, Any]) -> str | None:
    """The answer: tool calls as JSON where there are any, else the content or its text parts."""
    calls = message.get("tool_calls") or message.get("function_call")
    if calls:
        return compact(calls)
    content = message.get("content")
    if isinstance(content, list):
        if not all(isinstance(part, Mapping) for part in content):
            return None
        parts = [part.get("text") for part in content if part.get("type", "text") == "text"]
        return "".join(parts) if parts and all(isinstance(part, str) for part in parts) else None
    return word(content)


def _embedding(response: HttpResponse, data: Mapping[str, Any], limits: RateHeaders | None) -> Outcome:
    listed = data.get("data")
    entries = [entry for entry in listed if isinstance(entry, Mapping)] if isinstance(listed, list) else []
    entries.sort(key=lambda entry: count_of(entry, "index") or 0)
    vectors = [vector_of(entry.get("embedding")) for entry in entries]
    if not vectors or not all(vectors):
        return malformed(response, "the answer has no data[0].embedding", limits)
    if (count_of(entries[-1], "index") or 0) >= len(entries) > 1:
        return malformed(response, "an embedding is missing in the answer", limits)
    return Outcome(
        OutcomeClass.OK,
        text=compact(vectors[0] if len(vectors) == 1 else vectors),
        usage=replace(usage_of(data.get("usage")), output_tokens=0),
        status=response.status,
        limits=limits,
        request_id=request_id(response.headers),
        model=word(data.get("model")),
        raw=response.body,
    )


def vector_of(given: Any) -> list[float] | None:
    """An embedding as numbers: a list of them, or base64 of little-endian 32-bit floats; None: neither."""
    if isinstance(given, list):
        return given if is_vector(given) else None
    if not isinstance(given, str):
        return None
    try:
        data = base64.b64decode(given, validate=True)
        vector = list(struct.unpack(f"<{len(data) // 4}f", data))
    except (ValueError, struct.error):
        return None
    return vector if is_vector(vector) else None


def _model(entry: Mapping[str, Any]) -> ModelInfo:
    names = ("context_length", "max_model_len", "context_window", "max_context_length")
    meta = entry.get("meta")  # llama.cpp
    lengths = (*(count_of(entry, name) for name in names), count_of(meta, "n_ctx"), count_of(meta, "n_ctx_train"))
    name = str(entry["id"]).removeprefix("models/")  # Gemini lists full names and takes short ones
    return ModelInfo(name, next((length for length in lengths if length), None), word(entry.get("owned_by")) or "")

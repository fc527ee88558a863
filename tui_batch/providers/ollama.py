"""Ollama's native format: chat, generate and embed. Source of the facts: Ollama API documentation and server source."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from tui_batch.domain.endpoint import Api, Operation
from tui_batch.domain.outcome import Outcome, OutcomeClass, Usage
from tui_batch.domain.request import Json, PromptRequest
from tui_batch.providers.base import Assembler, Encoded, EncodeError, Headers, HttpResponse, ModelInfo
from tui_batch.providers.body import canonical, compact, is_vector, word
from tui_batch.providers.classify import count_of, error_outcome, malformed, parse_json, wrapped_error
from tui_batch.providers.headers import request_id
from tui_batch.providers.ollama_stream import STREAMED, LineAssembler
from tui_batch.providers.streams import with_stream

CHAT_PATH = "/api/chat"
GENERATE_PATH = "/api/generate"
EMBED_PATH = "/api/embed"

_TOP_LEVEL = frozenset(
    {"keep_alive", "think", "format", "tools", "logprobs", "top_logprobs"}
    | {"template", "raw", "suffix", "images", "context", "dimensions"}
)
"""Parameters that stand beside `options`; every other one is an option of the model."""
_RENAMED = {"max_tokens": "num_predict", "max_completion_tokens": "num_predict"}
_FORCED = frozenset({"stream", "truncate", "options", "response_format", "strict"})
"""Streaming is the job's business, not a parameter's; a prompt cut without a word would look like a good answer."""


class Ollama:
    """Chat, generate and embed, never with a silently cut prompt; streamed only where `stream` is called."""

    api = Api.OLLAMA
    models_path = "/api/tags"

    def encode(self, request: PromptRequest, model: str) -> Encoded:
        """`max_tokens` becomes num_predict, the schema becomes format. stream and truncate are always false."""
        if request.body is not None:
            raise EncodeError(
                "ready request bodies are in OpenAI's format: send them to this server's /v1 address with --api openai"
            )
        body = {"model": model, "stream": False, "truncate": False, **_params(request)}
        match request.operation:
            case Operation.CHAT:
                body["messages"] = [{"role": turn.role, "content": turn.content} for turn in request.messages]
                path = CHAT_PATH
            case Operation.GENERATE:
                body |= _prompt(request)
                path = GENERATE_PATH
            case Operation.EMBED:
                del body["stream"]
                body["input"] = _prompt(request)["prompt"]
                path = EMBED_PATH
        return Encoded(path, canonical(body), request.operation)

    def decode(self, operation: Operation, response: HttpResponse) -> Outcome:
        """As Provider.decode."""
        data = parse_json(response.body)
        if not 200 <= response.status < 300:
            return error_outcome(response, data, None)
        if not isinstance(data, dict):
            return malformed(response, "the answer is not a JSON object")
        wrapped = wrapped_error(response, data, None)
        if wrapped is not None:
            return wrapped
        return _embeddings(response, data) if operation is Operation.EMBED else _answer(response, data)

    def stream(self, encoded: Encoded) -> Encoded | None:
        """As Provider.stream."""
        return None if encoded.operation is Operation.EMBED else with_stream(encoded, STREAMED)

    def assembler(self, operation: Operation) -> Assembler:
        """As Provider.assembler."""
        return LineAssembler()

    def auth_headers(self, secret: str | None) -> Headers:
        """A bearer token, for proxies in front of a server; the server itself wants none."""
        return (("authorization", f"Bearer {secret}"),) if secret else ()

    def decode_models(self, response: HttpResponse) -> tuple[ModelInfo, ...]:
        """As Provider.decode_models."""
        data = parse_json(response.body)
        listed = data.get("models") if isinstance(data, Mapping) else None
        if not isinstance(listed, list):
            raise ValueError("the list of models is not in Ollama's format")
        return tuple(
            ModelInfo(name, None, _detail(entry.get("details")))
            for entry in listed
            if isinstance(entry, Mapping) and (name := word(entry.get("model")) or word(entry.get("name")))
        )


def _params(request: PromptRequest) -> dict[str, Json]:
    given = request.params.get("options")
    options: dict[str, Json] = dict(given) if isinstance(given, Mapping) else {}
    top: dict[str, Json] = {}
    for name, value in request.params.items():
        if name in _TOP_LEVEL:
            top[name] = value
        elif name not in _FORCED:
            options[_RENAMED.get(name, name)] = [value] if name == "stop" and isinstance(value, str) else value
    if options:
        top["options"] = options
    wanted = request.schema if request.schema is not None else _format(request.params.get("response_format"))
    if wanted is not None and request.operation is not Operation.EMBED:
        top.setdefault("format", wanted)
    return top


def _format(response_format: Any) -> Json:
    """OpenAI's response_format in Ollama's words; None: free text."""
    if not isinstance(response_format, Mapping):
        return None
    named = response_format.get("json_schema")
    if isinstance(named, Mapping):
        return named.get("schema")
    return "json" if response_format.get("type") == "json_object" else None


def _prompt(request: PromptRequest) -> dict[str, Json]:
    """The last message is the prompt; a system message before it is the system text."""
    if not request.messages:
        raise EncodeError("there is no text to send")
    system = "\n\n".join(turn.content for turn in request.messages if turn.role == "system" and turn.content)
    body = {"prompt": request.messages[-1].content}
    return {**body, "system": system} if system and request.messages[-1].role != "system" else body


def _usage(data: Mapping[str, Any]) -> Usage:
    """Counts are left out by the server when a prompt was answered from its cache: unknown, not 0."""
    return Usage(count_of(data, "prompt_eval_count"), count_of(data, "eval_count"))


def _answer(response: HttpResponse, data: Mapping[str, Any]) -> Outcome:
    if data.get("done") is False:
        return malformed(response, "the server sent one piece of a stream, although asked for one answer")
    message = data.get("message")
    text = _text(message) if isinstance(message, dict) else word(data.get("response"))
    reason = word(data.get("done_reason"))
    if text is None or reason == "load":
        return malformed(response, "the answer has no message.content or response")
    outcome = Outcome(
        OutcomeClass.OK,
        text=text,
        usage=_usage(data),
        finish_reason=reason,
        status=response.status,
        request_id=request_id(response.headers),
        model=word(data.get("model")),
        raw=response.body,
    )
    if reason == "length":
        words = "the answer was cut by num_predict or the context window (num_ctx)"
        return replace(outcome, cls=OutcomeClass.TRUNCATED, message=words)
    return outcome


def _text(message: Mapping[str, Any]) -> str | None:
    calls = message.get("tool_calls")
    if isinstance(calls, list) and calls:
        return compact(calls)
    return word(message.get("content"))


def _embeddings(response: HttpResponse, data: Mapping[str, Any]) -> Outcome:
    vectors = data.get("embeddings")
    if not isinstance(vectors, list) or not vectors or not all(map(is_vector, vectors)):
        return malformed(response, "the answer has no embeddings")
    return Outcome(
        OutcomeClass.OK,
        text=compact(vectors[0] if len(vectors) == 1 else vectors),
        usage=replace(_usage(data), output_tokens=0),
        status=response.status,
        request_id=request_id(response.headers),
        model=word(data.get("model")),
        raw=response.body,
    )


def _detail(details: Any) -> str:
    if not isinstance(details, Mapping):
        return ""
    return " ".join(text for name in ("parameter_size", "quantization_level") if (text := word(details.get(name))))

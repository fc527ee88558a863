"""OpenAI's wire format: chat completions and embeddings (OpenAI API reference; limits: "Rate limits" guide)."""

from __future__ import annotations

import base64
import math
import sys
from array import array
from collections.abc import Iterator, Mapping

import orjson

from tui_batch.domain.endpoint import Api, Operation
from tui_batch.domain.outcome import RateHeaders, Window
from tui_batch.domain.request import Json
from tui_batch.simulator import checks
from tui_batch.simulator.chance import digest
from tui_batch.simulator.counting import count_tokens
from tui_batch.simulator.wire import (
    Answer,
    Ask,
    Delivery,
    Facts,
    Finish,
    Headers,
    Problem,
    SimResponse,
    Trouble,
    json_response,
    pieces,
)

_ROLES = ("system", "developer", "user", "assistant", "tool", "function")
_MOST_INPUTS = 2_048
_MOST_TOKENS_AN_INPUT = 8_192
_MOST_TOKENS_A_REQUEST = 300_000

_FINISH = {Finish.STOP: "stop", Finish.LENGTH: "length", Finish.FILTER: "content_filter"}

_ERRORS: dict[Trouble, tuple[int, str, str | None, str]] = {
    Trouble.BAD_JSON: (400, "invalid_request_error", None, "We could not parse the JSON body of your request."),
    Trouble.INVALID: (400, "invalid_request_error", None, "Invalid request."),
    Trouble.AUTH: (401, "invalid_request_error", "invalid_api_key", "Incorrect API key provided."),
    Trouble.QUOTA: (
        429,
        "insufficient_quota",
        "insufficient_quota",
        "You exceeded your current quota, please check your plan and billing details.",
    ),
    Trouble.NO_ROUTE: (404, "invalid_request_error", "unknown_url", "Invalid URL"),
    Trouble.NO_MODEL: (404, "invalid_request_error", "model_not_found", "The model does not exist."),
    Trouble.CONTEXT: (400, "invalid_request_error", "context_length_exceeded", "The prompt is too long."),
    Trouble.REQUESTS: (429, "requests", "rate_limit_exceeded", "Rate limit reached on requests per min (RPM)."),
    Trouble.TOKENS: (429, "tokens", "rate_limit_exceeded", "Rate limit reached on tokens per min (TPM)."),
    Trouble.TOO_LARGE: (413, "invalid_request_error", None, "The request body is too large."),
    Trouble.BUSY: (503, "server_error", None, "The engine is currently overloaded, please try again later."),
    Trouble.UNAVAILABLE: (503, "server_error", None, "The server is temporarily unavailable."),
    Trouble.SERVER_ERROR: (
        500,
        "server_error",
        None,
        "The server had an error while processing your request. Sorry about that!",
    ),
}
"""Status, type, code and default words."""


class OpenAIFormat:
    """Reads and writes what OpenAI and every compatible server speak."""

    api = Api.OPENAI

    def parse(self, operation: Operation, body: Mapping[str, Json], headers: Mapping[str, str]) -> Ask:
        """Reads a chat or embeddings request."""
        model = checks.text_field(body, "model", "you must provide a model parameter")
        return _parse_embed(model, body) if operation is Operation.EMBED else _parse_chat(model, body)

    def answer(self, ask: Ask, answer: Answer, facts: Facts) -> SimResponse:
        """Writes a completion, a stream of chunks, or embeddings."""
        headers = _headers(facts)
        if ask.operation is Operation.EMBED:
            return json_response(200, _embeddings(ask, answer), headers)
        if ask.stream:
            stream = (("content-type", "text/event-stream; charset=utf-8"), *headers)
            return SimResponse(200, stream, tuple(_events(ask, answer, facts)), Delivery.STREAM)
        return json_response(200, _completion(ask, answer, facts), headers)

    def error(self, problem: Problem, facts: Facts) -> SimResponse:
        """Writes `{"error": {message, type, param, code}}` with the status that goes with it."""
        status, kind, code, words = _ERRORS[problem.trouble]
        error = {"message": problem.message or words, "type": kind, "param": problem.param, "code": code}
        headers = (*_headers(facts), *_retry_after(problem))
        return json_response(problem.status or status, {"error": error}, headers)


def go_duration(seconds: float) -> str:
    """A duration as Go prints it, which is how OpenAI's reset headers look: `12ms`, `1s`, `6m0s`."""
    millis = max(0, math.ceil(seconds * 1000))
    if millis < 1000:
        return f"{millis}ms"
    minutes, rest = divmod(millis, 60_000)
    hours, minutes = divmod(minutes, 60)
    tail = f"{rest / 1000:g}s"
    return f"{hours}h{minutes}m{tail}" if hours else f"{minutes}m{tail}" if minutes else tail


def _parse_chat(model: str, body: Mapping[str, Json]) -> Ask:
    turns = checks.conversation(body, _ROLES)
    checks.number_between(body, "temperature", 0, 2)
    checks.number_between(body, "top_p", 0, 1)
    checks.whole_number(body, "n", 1, 128)
    schema, json_mode = _response_format(body, turns)
    tool, arguments = _forced_tool(body)
    return Ask(
        api=Api.OPENAI,
        operation=Operation.CHAT,
        model=model,
        system="\n".join(text for role, text in turns if role in {"system", "developer"}),
        prompt=checks.last_of(turns, "user"),
        input_tokens=checks.chat_tokens(turns) + 3,
        max_tokens=checks.whole_number(body, "max_completion_tokens") or checks.whole_number(body, "max_tokens"),
        schema=arguments if tool else schema,
        json_mode=json_mode,
        tool=tool,
        stream=body.get("stream") is True,
        details=body,
    )


def _response_format(body: Mapping[str, Json], turns: list[tuple[str, str]]) -> tuple[Json, bool]:
    wanted = body.get("response_format")
    if not isinstance(wanted, dict) or wanted.get("type") == "text":
        return None, False
    if wanted.get("type") == "json_object":
        if not any("json" in text.lower() for _, text in turns):
            raise checks.invalid(
                "'messages' must contain the word 'json' in some form, to use 'response_format' of type 'json_object'.",
                "messages",
            )
        return None, True
    described = wanted.get("json_schema")
    if wanted.get("type") != "json_schema" or not isinstance(described, dict):
        raise checks.invalid("Missing required parameter: 'response_format.json_schema'.", "response_format")
    if not isinstance(described.get("name"), str):
        param = "response_format.json_schema.name"
        raise checks.invalid(f"Missing required parameter: '{param}'.", param)
    schema = described.get("schema", {"type": "object"})
    if described.get("strict") is True:
        _check_strict(schema, described["name"], ())
    return schema, False


def _check_strict(schema: Json, name: str, place: tuple[str, ...]) -> None:
    """Strict schemas must close every object and require all of its properties (OpenAI, "Structured outputs")."""
    if not isinstance(schema, dict):
        return
    where = f"Invalid schema for response_format '{name}': In context={place!r}, "
    properties = schema.get("properties")
    if schema.get("type") == "object":
        if schema.get("additionalProperties") is not False:
            raise checks.invalid(
                where + "'additionalProperties' is required to be supplied and to be false.", "response_format"
            )
        required = schema.get("required")
        listed = required if isinstance(required, list) else []
        if isinstance(properties, dict) and any(key not in listed for key in properties):
            raise checks.invalid(
                where + "'required' is required to be supplied and to be an array including every key in properties.",
                "response_format",
            )
    for key, value in (properties or {}).items() if isinstance(properties, dict) else ():
        _check_strict(value, name, (*place, "properties", key))
    if "items" in schema:
        _check_strict(schema["items"], name, (*place, "items"))


def _forced_tool(body: Mapping[str, Json]) -> tuple[str | None, Json]:
    choice = body.get("tool_choice")
    if not isinstance(choice, dict) or choice.get("type") != "function":
        return None, None
    wanted = _named(choice.get("function"))
    for tool in checks.objects(body, "tools"):
        function = tool.get("function")
        if wanted and isinstance(function, dict) and _named(function) == wanted:
            return wanted, function.get("parameters") or {"type": "object"}
    raise checks.invalid(f"Tool choice '{wanted}' not found in 'tools' parameter.", "tool_choice")


def _named(function: Json) -> str:
    name = function.get("name") if isinstance(function, dict) else None
    return name if isinstance(name, str) else ""


def _parse_embed(model: str, body: Mapping[str, Json]) -> Ask:
    texts = checks.texts_to_embed(body.get("input"), _MOST_INPUTS)
    if not all(texts):
        raise checks.invalid("'$.input' is invalid. Please check the API reference.", "input")
    counts = [count_tokens(text) for text in texts]
    if max(counts) > _MOST_TOKENS_AN_INPUT:
        raise checks.invalid(
            f"This model's maximum context length is {_MOST_TOKENS_AN_INPUT} tokens, however you requested "
            f"{max(counts)} tokens ({max(counts)} in your prompt; 0 for the completion). "
            "Please reduce your prompt; or completion length."
        )
    if sum(counts) > _MOST_TOKENS_A_REQUEST:
        raise checks.invalid(
            f"Requested {sum(counts)} tokens, max {_MOST_TOKENS_A_REQUEST} tokens per request", "input"
        )
    return Ask(
        api=Api.OPENAI,
        operation=Operation.EMBED,
        model=model,
        inputs=texts,
        input_tokens=sum(counts),
        dimensions=checks.whole_number(body, "dimensions", 1, 8_192),
        details=body,
    )


def _message(ask: Ask, answer: Answer) -> tuple[Json, str]:
    """The assistant's message and its finish reason. A withheld answer is an empty one or a refusal, by prompt."""
    message: dict[str, Json] = {"role": "assistant", "content": answer.text, "refusal": None}
    if answer.finish is Finish.FILTER and digest(ask.prompt) % 2:
        return message | {"content": None, "refusal": "I'm sorry, I can't help with that."}, "stop"
    if ask.tool and answer.finish is Finish.STOP:
        call = {"id": "call_1", "type": "function", "function": {"name": ask.tool, "arguments": answer.text}}
        return message | {"content": None, "tool_calls": [call]}, "stop"
    return message, _FINISH[answer.finish]


def _usage(ask: Ask, answer: Answer, choices: int) -> Json:
    written = answer.output_tokens * choices
    return {
        "prompt_tokens": answer.input_tokens,
        "completion_tokens": written,
        "total_tokens": answer.input_tokens + written,
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
    }


def _completion(ask: Ask, answer: Answer, facts: Facts) -> Json:
    message, finish = _message(ask, answer)
    choices = ask.details.get("n") or 1
    return {
        "id": f"chatcmpl-{facts.request_id}",
        "object": "chat.completion",
        "created": int(facts.created),
        "model": ask.model,
        "choices": [
            {"index": index, "message": message, "logprobs": None, "finish_reason": finish} for index in range(choices)
        ],
        "usage": _usage(ask, answer, choices),
        "service_tier": "default",
        "system_fingerprint": "fp_simulator",
    }


def _events(ask: Ask, answer: Answer, facts: Facts) -> Iterator[bytes]:
    """Server-sent events of a streamed completion, ended by `[DONE]`."""
    message, finish = _message(ask, answer)
    base = {
        "id": f"chatcmpl-{facts.request_id}",
        "object": "chat.completion.chunk",
        "created": int(facts.created),
        "model": ask.model,
        "service_tier": "default",
        "system_fingerprint": "fp_simulator",
    }

    def event(delta: Json, reason: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}
        return _event({**base, "choices": [choice]})

    yield event({"role": "assistant", "content": "", "refusal": None})
    for field in ("content", "refusal"):
        if message.get(field):
            for piece in pieces(message[field]):
                yield event({field: piece})
    if message.get("tool_calls"):
        yield event({"tool_calls": [{"index": 0, **message["tool_calls"][0]}]})
    yield event({}, finish)
    options = ask.details.get("stream_options")
    if isinstance(options, dict) and options.get("include_usage"):
        yield _event({**base, "choices": [], "usage": _usage(ask, answer, 1)})
    yield b"data: [DONE]\n\n"


def _event(value: Json) -> bytes:
    return b"data: " + orjson.dumps(value) + b"\n\n"


def _embeddings(ask: Ask, answer: Answer) -> Json:
    as_base64 = ask.details.get("encoding_format") == "base64"
    return {
        "object": "list",
        "data": [
            {"object": "embedding", "index": index, "embedding": _base64(vector) if as_base64 else vector}
            for index, vector in enumerate(answer.vectors)
        ],
        "model": ask.model,
        "usage": {"prompt_tokens": answer.input_tokens, "total_tokens": answer.input_tokens},
    }


def _base64(vector: list[float]) -> str:
    """Little-endian 32-bit floats, as the official client asks for unless told otherwise."""
    floats = array("f", vector)
    if sys.byteorder == "big":
        floats.byteswap()
    return base64.b64encode(floats.tobytes()).decode("ascii")


def _headers(facts: Facts) -> Headers:
    return (
        ("x-request-id", f"req_{facts.request_id}"),
        ("openai-processing-ms", str(round(facts.total_s * 1000))),
        ("openai-version", "2020-10-01"),
        *_limit_headers(facts.limits),
    )


def _limit_headers(limits: RateHeaders | None) -> Headers:
    if limits is None:
        return ()
    return (*_window_headers("requests", limits.requests), *_window_headers("tokens", limits.tokens))


def _window_headers(name: str, window: Window) -> Headers:
    if window.limit is None:
        return ()
    return (
        (f"x-ratelimit-limit-{name}", str(window.limit)),
        (f"x-ratelimit-remaining-{name}", str(window.remaining or 0)),
        (f"x-ratelimit-reset-{name}", go_duration(window.reset_s or 0.0)),
    )


def _retry_after(problem: Problem) -> Headers:
    if problem.retry_after_s is None:
        return ()
    return (
        ("retry-after-ms", str(math.ceil(problem.retry_after_s * 1000))),
        ("retry-after", str(math.ceil(problem.retry_after_s))),
    )

"""Ollama's native wire format: chat, generate, embed (Ollama's docs/api.md and server)."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

import orjson

from tui_batch.domain.endpoint import Api, Operation
from tui_batch.domain.request import Json
from tui_batch.simulator import checks
from tui_batch.simulator.counting import MESSAGE_OVERHEAD, count_tokens
from tui_batch.simulator.wire import (
    Answer,
    Ask,
    Delivery,
    Facts,
    Finish,
    Problem,
    SimResponse,
    Trouble,
    json_response,
    pieces,
)

DEFAULT_NUM_CTX = 4_096
"""The context window of a request that does not say num_ctx (OLLAMA_CONTEXT_LENGTH's default)."""

_ROLES = ("system", "user", "assistant", "tool")

_ERRORS: dict[Trouble, tuple[int, str]] = {
    Trouble.BAD_JSON: (400, "invalid character in request body"),
    Trouble.INVALID: (400, "invalid request"),
    Trouble.AUTH: (401, "unauthorized"),
    Trouble.QUOTA: (402, "you have reached your usage limit, upgrade for higher limits"),
    Trouble.NO_ROUTE: (404, "404 page not found"),
    Trouble.NO_MODEL: (404, "model not found, try pulling it first"),
    Trouble.CONTEXT: (400, "the input length exceeds the context length"),
    Trouble.REQUESTS: (429, "too many requests"),
    Trouble.TOKENS: (429, "too many requests"),
    Trouble.TOO_LARGE: (413, "request body too large"),
    Trouble.BUSY: (503, "server busy, please try again.  maximum pending requests exceeded"),
    Trouble.UNAVAILABLE: (503, "service unavailable"),
    Trouble.SERVER_ERROR: (500, "llama runner process has terminated: exit status 2"),
}
"""Status and default words. The two spaces in the busy message are Ollama's own."""


class OllamaFormat:
    """Reads and writes /api/chat, /api/generate and /api/embed."""

    api = Api.OLLAMA

    def parse(self, operation: Operation, body: Mapping[str, Json], headers: Mapping[str, str]) -> Ask:
        """Reads a request. `stream` and `truncate` are true unless they are said to be false."""
        model = checks.text_field(body, "model", "model is required")
        if operation is Operation.EMBED:
            return _parse_embed(model, body)
        return _parse_chat(model, body, _options(body), operation)

    def answer(self, ask: Ask, answer: Answer, facts: Facts) -> SimResponse:
        """Writes an object, a stream of JSON lines, or embeddings."""
        if ask.operation is Operation.EMBED:
            return json_response(200, _embeddings(ask, answer, facts))
        if not ask.stream:
            return json_response(200, _last(ask, answer, facts, answer.text))
        lines = tuple(_lines(ask, answer, facts))
        return SimResponse(200, (("content-type", "application/x-ndjson"),), lines, Delivery.STREAM)

    def error(self, problem: Problem, facts: Facts) -> SimResponse:
        """Writes `{"error": "text"}`."""
        status, words = _ERRORS[problem.trouble]
        retry = () if problem.retry_after_s is None else (("retry-after", str(math.ceil(problem.retry_after_s))),)
        return json_response(problem.status or status, {"error": problem.message or words}, retry)


def iso_time(wall: float) -> str:
    """A time as Ollama writes it."""
    return datetime.fromtimestamp(wall, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _options(body: Mapping[str, Json]) -> Mapping[str, Json]:
    options = body.get("options")
    if options is None:
        return {}
    if not isinstance(options, dict):
        raise checks.invalid("json: cannot unmarshal options into Go struct field of type map[string]interface {}")
    return options


def _parse_chat(model: str, body: Mapping[str, Json], options: Mapping[str, Json], operation: Operation) -> Ask:
    if operation is Operation.GENERATE:
        system, prompt = (str(body.get(field) or "") for field in ("system", "prompt"))
        turns = [("system", system)] * bool(system) + [("user", prompt)]
    else:
        turns = checks.conversation(body, _ROLES) if body.get("messages") else []
        system = "\n".join(text for role, text in turns if role == "system")
        prompt = checks.last_of(turns, "user")
    wanted = body.get("format")
    if wanted not in (None, "", "json") and not isinstance(wanted, dict):
        raise checks.invalid(f'invalid format: "{wanted}"; expected "json" or a JSON schema')
    predict = options.get("num_predict")
    return Ask(
        api=Api.OLLAMA,
        operation=operation,
        model=model,
        system=system,
        prompt=prompt,
        input_tokens=checks.chat_tokens(turns) + MESSAGE_OVERHEAD,
        max_tokens=predict if isinstance(predict, int) and predict > 0 else None,
        context_window=checks.whole_number(options, "num_ctx") or DEFAULT_NUM_CTX,
        schema=wanted if isinstance(wanted, dict) else None,
        json_mode=wanted == "json",
        stream=body.get("stream") is not False,
        truncate=body.get("truncate") is not False,
        details=body,
    )


def _parse_embed(model: str, body: Mapping[str, Json]) -> Ask:
    value = body.get("input", body.get("prompt"))
    texts = () if value in (None, "", []) else checks.texts_to_embed(value, 1_000_000)
    return Ask(
        api=Api.OLLAMA,
        operation=Operation.EMBED,
        model=model,
        inputs=texts,
        input_tokens=sum(map(count_tokens, texts)),
        truncate=body.get("truncate") is not False,
        dimensions=checks.whole_number(body, "dimensions", 1, 8_192),
        details=body,
    )


def _part(ask: Ask, facts: Facts, text: str) -> dict[str, Json]:
    """What every line of an answer has."""
    said: dict[str, Json] = (
        {"response": text}
        if ask.operation is Operation.GENERATE
        else {"message": {"role": "assistant", "content": text}}
    )
    return {"model": ask.model, "created_at": iso_time(facts.created), **said, "done": False}


def _last(ask: Ask, answer: Answer, facts: Facts, text: str) -> dict[str, Json]:
    """The whole answer, or the last line of a stream: with its reason and durations in nanoseconds."""
    empty = not ask.prompt and not answer.text
    reason = "load" if empty else "length" if answer.finish is Finish.LENGTH else "stop"
    return {
        **_part(ask, facts, text),
        "done": True,
        "done_reason": reason,
        "total_duration": _nanos(facts.total_s),
        "load_duration": 1_000_000,
        "prompt_eval_count": answer.input_tokens,
        "prompt_eval_duration": max(_nanos(facts.read_s), 1),
        "eval_count": answer.output_tokens,
        "eval_duration": max(_nanos(facts.write_s), 1),
    }


def _lines(ask: Ask, answer: Answer, facts: Facts) -> Iterator[bytes]:
    for piece in pieces(answer.text):
        yield orjson.dumps(_part(ask, facts, piece)) + b"\n"
    yield orjson.dumps(_last(ask, answer, facts, "")) + b"\n"


def _embeddings(ask: Ask, answer: Answer, facts: Facts) -> Json:
    if "prompt" in ask.details and "input" not in ask.details:
        return {"embedding": answer.vectors[0] if answer.vectors else []}
    return {
        "model": ask.model,
        "embeddings": list(answer.vectors),
        "total_duration": _nanos(facts.total_s),
        "load_duration": 1_000_000,
        "prompt_eval_count": answer.input_tokens,
    }


def _nanos(seconds: float) -> int:
    return round(seconds * 1e9)

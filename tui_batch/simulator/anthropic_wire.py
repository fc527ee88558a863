"""Anthropic's wire format: messages (Anthropic API reference, "Messages", "Errors" and "Rate limits")."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

import orjson

from tui_batch.domain.endpoint import Api, Operation
from tui_batch.domain.outcome import RateHeaders, Window
from tui_batch.domain.request import Json
from tui_batch.simulator import checks
from tui_batch.simulator.counting import MESSAGE_OVERHEAD, count_tokens
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

_STOP = {Finish.STOP: "end_turn", Finish.LENGTH: "max_tokens", Finish.FILTER: "refusal"}

_ERRORS: dict[Trouble, tuple[int, str, str]] = {
    Trouble.BAD_JSON: (400, "invalid_request_error", "The request body is not valid JSON"),
    Trouble.INVALID: (400, "invalid_request_error", "Invalid request"),
    Trouble.AUTH: (401, "authentication_error", "invalid x-api-key"),
    Trouble.QUOTA: (
        400,
        "invalid_request_error",
        "Your credit balance is too low to access the Anthropic API. "
        "Please go to Plans & Billing to upgrade or purchase credits.",
    ),
    Trouble.NO_ROUTE: (404, "not_found_error", "Not Found"),
    Trouble.NO_MODEL: (404, "not_found_error", "model not found"),
    Trouble.CONTEXT: (400, "invalid_request_error", "prompt is too long"),
    Trouble.REQUESTS: (429, "rate_limit_error", "This request would exceed your account's rate limit."),
    Trouble.TOKENS: (429, "rate_limit_error", "This request would exceed your account's rate limit on tokens."),
    Trouble.TOO_LARGE: (413, "request_too_large", "Request exceeds the maximum size"),
    Trouble.BUSY: (529, "overloaded_error", "Overloaded"),
    Trouble.UNAVAILABLE: (503, "api_error", "Service unavailable"),
    Trouble.SERVER_ERROR: (500, "api_error", "Internal server error"),
}
"""Status, type and default words."""


class AnthropicFormat:
    """Reads and writes the Messages API."""

    api = Api.ANTHROPIC

    def parse(self, operation: Operation, body: Mapping[str, Json], headers: Mapping[str, str]) -> Ask:
        """Reads a messages request."""
        if "anthropic-version" not in headers:
            raise checks.invalid("anthropic-version: header is required")
        model = checks.text_field(body, "model", "model: Field required")
        max_tokens = checks.whole_number(body, "max_tokens")
        if max_tokens is None:
            raise checks.invalid("max_tokens: Field required")
        checks.number_between(body, "temperature", 0, 1)
        turns = _turns(body)
        system = checks.flatten(body.get("system"), "system")
        tool, arguments = _forced_tool(body)
        return Ask(
            api=Api.ANTHROPIC,
            operation=Operation.CHAT,
            model=model,
            system=system,
            prompt=checks.last_of(turns, "user"),
            input_tokens=prompt_tokens(system, turns),
            max_tokens=max_tokens,
            schema=arguments if tool else _output_schema(body),
            tool=tool,
            stream=body.get("stream") is True,
            details=body,
        )

    def answer(self, ask: Ask, answer: Answer, facts: Facts) -> SimResponse:
        """Writes a message or its stream of events."""
        message = _message(ask, answer, facts)
        if not ask.stream:
            return json_response(200, message, _headers(facts))
        headers = (("content-type", "text/event-stream; charset=utf-8"), *_headers(facts))
        return SimResponse(200, headers, tuple(_events(message)), Delivery.STREAM)

    def error(self, problem: Problem, facts: Facts) -> SimResponse:
        """Writes `{"type": "error", "error": {type, message}, "request_id"}`."""
        status, kind, words = _ERRORS[problem.trouble]
        retry = (
            () if problem.retry_after_s is None else (("retry-after", str(max(1, math.ceil(problem.retry_after_s)))),)
        )
        value = {
            "type": "error",
            "error": {"type": kind, "message": problem.message or words},
            "request_id": f"req_{facts.request_id}",
        }
        return json_response(problem.status or status, value, (*_headers(facts), *retry))


def prompt_tokens(system: str, turns: list[tuple[str, str]]) -> int:
    """Input tokens of a request, as `count_tokens` tells them too."""
    return checks.chat_tokens(turns) + (count_tokens(system) + MESSAGE_OVERHEAD if system else 0)


def count_tokens_response(body: Mapping[str, Json], facts: Facts) -> SimResponse:
    """POST /v1/messages/count_tokens."""
    system = checks.flatten(body.get("system"), "system")
    return json_response(200, {"input_tokens": prompt_tokens(system, _turns(body))}, _headers(facts))


def _turns(body: Mapping[str, Json]) -> list[tuple[str, str]]:
    turns = checks.conversation(body, ("user", "assistant"))
    if not any(text for role, text in turns if role == "user"):
        raise checks.invalid("messages: text content blocks must be non-empty", "messages")
    return turns


def _output_schema(body: Mapping[str, Json]) -> Json:
    """The schema of a structured output: `output_config.format`, or `output_format` as it was called in beta."""
    config = body.get("output_config")
    wanted = config.get("format") if isinstance(config, dict) else body.get("output_format")
    if not isinstance(wanted, dict):
        return None
    if wanted.get("type") != "json_schema" or not isinstance(wanted.get("schema"), dict):
        raise checks.invalid("output_config.format: expected type 'json_schema' with a schema")
    return wanted["schema"]


def _forced_tool(body: Mapping[str, Json]) -> tuple[str | None, Json]:
    choice = body.get("tool_choice")
    if not isinstance(choice, dict) or choice.get("type") != "tool":
        return None, None
    wanted = choice.get("name")
    for tool in checks.objects(body, "tools"):
        if isinstance(wanted, str) and tool.get("name") == wanted:
            return wanted, tool.get("input_schema") or {"type": "object"}
    raise checks.invalid(f"Tool '{wanted}' not found in provided tools")


def _content(ask: Ask, answer: Answer, facts: Facts) -> tuple[list[Json], str]:
    """The content blocks and the stop reason."""
    if answer.finish is Finish.FILTER:
        return [], "refusal"
    if ask.tool and answer.finish is Finish.STOP:
        call = {
            "type": "tool_use",
            "id": f"toolu_{facts.request_id}",
            "name": ask.tool,
            "input": orjson.loads(answer.text),
        }
        return [call], "tool_use"
    return [{"type": "text", "text": answer.text}], _STOP[answer.finish]


def _message(ask: Ask, answer: Answer, facts: Facts) -> dict[str, Json]:
    content, stop = _content(ask, answer, facts)
    return {
        "id": f"msg_{facts.request_id}",
        "type": "message",
        "role": "assistant",
        "model": ask.model,
        "content": content,
        "stop_reason": stop,
        "stop_sequence": None,
        "usage": {
            "input_tokens": answer.input_tokens,
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 0,
            "output_tokens": answer.output_tokens,
            "service_tier": "standard",
        },
    }


def _events(message: dict[str, Json]) -> Iterator[bytes]:
    """The events of a streamed message, in the documented order."""
    usage = message["usage"]
    opening = {**message, "content": [], "stop_reason": None, "usage": {**usage, "output_tokens": 1}}
    yield _event("message_start", {"message": opening})
    for index, block in enumerate(message["content"]):
        is_text = block["type"] == "text"
        empty = {**block, "text": ""} if is_text else {**block, "input": {}}
        yield _event("content_block_start", {"index": index, "content_block": empty})
        text = block["text"] if is_text else orjson.dumps(block["input"]).decode()
        for piece in pieces(text):
            delta = (
                {"type": "text_delta", "text": piece}
                if is_text
                else {"type": "input_json_delta", "partial_json": piece}
            )
            yield _event("content_block_delta", {"index": index, "delta": delta})
        yield _event("content_block_stop", {"index": index})
    stop = {"stop_reason": message["stop_reason"], "stop_sequence": None}
    yield _event("message_delta", {"delta": stop, "usage": {"output_tokens": usage["output_tokens"]}})
    yield _event("message_stop", {})


def _event(name: str, value: Mapping[str, Json]) -> bytes:
    return b"event: " + name.encode() + b"\ndata: " + orjson.dumps({"type": name, **value}) + b"\n\n"


def _headers(facts: Facts) -> Headers:
    return (("request-id", f"req_{facts.request_id}"), *_limit_headers(facts.limits, facts.created))


def _limit_headers(limits: RateHeaders | None, wall: float) -> Headers:
    if limits is None:
        return ()
    return (*_window_headers("requests", limits.requests, wall), *_window_headers("tokens", limits.tokens, wall))


def _window_headers(name: str, window: Window, wall: float) -> Headers:
    if window.limit is None:
        return ()
    reset = datetime.fromtimestamp(math.ceil(wall + (window.reset_s or 0.0)), UTC)
    prefix = f"anthropic-ratelimit-{name}"
    return (
        (f"{prefix}-limit", str(window.limit)),
        (f"{prefix}-remaining", str(window.remaining or 0)),
        (f"{prefix}-reset", reset.strftime("%Y-%m-%dT%H:%M:%SZ")),
    )

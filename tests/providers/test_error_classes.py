"""What each provider's real error bodies mean for an item: the table of docs/outcomes.md."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tui_batch.domain.endpoint import Api, Operation
from tui_batch.domain.outcome import Outcome, OutcomeClass
from tui_batch.providers.base import HttpResponse
from tui_batch.providers.registry import provider_for

C = OutcomeClass


def decoded(api: Api, status: int, body: Any, headers: dict[str, str] | None = None) -> Outcome:
    """The outcome of one response; a body that is not bytes is sent as JSON."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return provider_for(api).decode(Operation.CHAT, HttpResponse(status, headers or {}, data))


def openai(message: str, kind: str | None = None, code: Any = None) -> dict[str, Any]:
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}


def anthropic(kind: str, message: str) -> dict[str, Any]:
    return {"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_9"}


GEMINI_429 = [
    {
        "error": {
            "code": 429,
            "message": "You exceeded your current quota, please check your plan and billing details.",
            "status": "RESOURCE_EXHAUSTED",
            "details": [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "37s"}],
        }
    }
]

TABLE = [
    # OpenAI
    (Api.OPENAI, 429, openai("Rate limit reached for gpt-4o", "requests", "rate_limit_exceeded"), C.RATE_LIMITED),
    (Api.OPENAI, 429, openai("You exceeded your current quota", "insufficient_quota", "insufficient_quota"), C.QUOTA),
    (Api.OPENAI, 429, openai("You exceeded your current quota", "insufficient_quota"), C.QUOTA),
    (Api.OPENAI, 429, openai("Billing hard limit has been reached", "x", "billing_hard_limit_reached"), C.QUOTA),
    (Api.OPENAI, 429, openai("Request too large for gpt-4o on tokens per min (TPM)", "tokens"), C.BAD_REQUEST),
    (Api.OPENAI, 401, openai("Incorrect API key provided: sk-abc***xyz", "x", "invalid_api_key"), C.AUTH),
    (Api.OPENAI, 403, openai("Country not supported", "request_forbidden"), C.AUTH),
    (Api.OPENAI, 403, openai("Project has no access to model", "x", "model_not_found"), C.NOT_FOUND),
    (Api.OPENAI, 404, openai("The model `x` does not exist", "x", "model_not_found"), C.NOT_FOUND),
    (Api.OPENAI, 400, openai("too long", "invalid_request_error", "context_length_exceeded"), C.CONTEXT_LENGTH),
    (Api.OPENAI, 400, openai("Unsupported value: 'temperature'", "x", "unsupported_value"), C.BAD_REQUEST),
    (Api.OPENAI, 500, openai("The server had an error", "server_error"), C.SERVER_ERROR),
    (Api.OPENAI, 503, openai("The engine is currently overloaded", "server_error"), C.OVERLOADED),
    (Api.OPENAI, 409, openai("conflict"), C.SERVER_ERROR),
    (Api.OPENAI, 408, openai("timeout"), C.TIMEOUT),
    (Api.OPENAI, 502, b"", C.SERVER_ERROR),
    (Api.OPENAI, 413, b"<html><head><title>413 Request Entity Too Large</title></head></html>", C.BAD_REQUEST),
    (Api.OPENAI, 422, {"detail": [{"loc": ["body", "messages"], "msg": "field required"}]}, C.BAD_REQUEST),
    # Azure
    (Api.OPENAI, 400, openai("The response was filtered", None, "content_filter"), C.REFUSED),
    (Api.OPENAI, 429, openai("Requests have exceeded call rate limit", None, "429"), C.RATE_LIMITED),
    # Gemini through its OpenAI-compatible address
    (Api.OPENAI, 429, GEMINI_429, C.RATE_LIMITED),
    (Api.OPENAI, 400, [{"error": {"code": 400, "message": "API key not valid. Please pass a valid API key."}}], C.AUTH),
    (
        Api.OPENAI,
        400,
        openai("The input token count (1200000) exceeds the maximum number of tokens allowed (1048576)."),
        C.CONTEXT_LENGTH,
    ),
    # OpenRouter, Groq, Together, DeepSeek, Mistral
    (Api.OPENAI, 402, openai("Insufficient credits", None, 402), C.QUOTA),
    (Api.OPENAI, 402, openai("Insufficient Balance", "unknown_error"), C.QUOTA),
    (Api.OPENAI, 403, openai("Key limit exceeded (total limit)", None, 403), C.QUOTA),
    (Api.OPENAI, 403, openai("Your input was flagged", None, 403), C.REFUSED),
    (Api.OPENAI, 400, openai("foo/bar is not a valid model ID", None, 400), C.NOT_FOUND),
    (Api.OPENAI, 498, openai("Flex tier capacity exceeded"), C.OVERLOADED),
    (Api.OPENAI, 413, openai("Request too large for model `x`", "tokens", "rate_limit_exceeded"), C.BAD_REQUEST),
    (Api.OPENAI, 422, openai("Input is too long: 9000 tokens, maximum allowed input tokens 8192"), C.CONTEXT_LENGTH),
    (Api.OPENAI, 200, openai("Provider returned error", None, 429), C.RATE_LIMITED),
    (Api.OPENAI, 200, openai("Upstream broke", None, 502), C.SERVER_ERROR),
    # vLLM, llama.cpp
    (
        Api.OPENAI,
        400,
        {"object": "error", "message": "This model's maximum context length is 4096 tokens.", "code": 400},
        C.CONTEXT_LENGTH,
    ),
    (
        Api.OPENAI,
        400,
        {"error": {"code": 400, "type": "exceed_context_size_error", "message": "request too big", "n_ctx": 4096}},
        C.CONTEXT_LENGTH,
    ),
    (Api.OPENAI, 500, openai("the request exceeds the available context size. try increasing it"), C.CONTEXT_LENGTH),
    (Api.OPENAI, 503, {"error": {"code": 503, "message": "Loading model", "type": "unavailable_error"}}, C.OVERLOADED),
    (Api.OPENAI, 404, {"detail": "Not Found"}, C.NOT_FOUND),
    # Anthropic
    (Api.ANTHROPIC, 529, anthropic("overloaded_error", "Overloaded"), C.OVERLOADED),
    (Api.ANTHROPIC, 200, anthropic("overloaded_error", "Overloaded"), C.OVERLOADED),
    (Api.ANTHROPIC, 429, anthropic("rate_limit_error", "would exceed your limit"), C.RATE_LIMITED),
    (Api.ANTHROPIC, 400, anthropic("invalid_request_error", "Your credit balance is too low"), C.QUOTA),
    (Api.ANTHROPIC, 400, anthropic("invalid_request_error", "prompt is too long: 250000 tokens"), C.CONTEXT_LENGTH),
    (Api.ANTHROPIC, 400, anthropic("invalid_request_error", "messages: required"), C.BAD_REQUEST),
    (Api.ANTHROPIC, 401, anthropic("authentication_error", "invalid x-api-key"), C.AUTH),
    (Api.ANTHROPIC, 402, anthropic("billing_error", "pay"), C.QUOTA),
    (Api.ANTHROPIC, 403, anthropic("permission_error", "no"), C.AUTH),
    (Api.ANTHROPIC, 404, anthropic("not_found_error", "model: claude-9"), C.NOT_FOUND),
    (Api.ANTHROPIC, 500, anthropic("api_error", "Internal server error"), C.SERVER_ERROR),
    (Api.ANTHROPIC, 504, anthropic("timeout_error", "timed out"), C.TIMEOUT),
    # Ollama
    (Api.OLLAMA, 503, {"error": "server busy, please try again.  maximum pending requests exceeded"}, C.OVERLOADED),
    (Api.OLLAMA, 404, {"error": "model 'x' not found, try pulling it first"}, C.NOT_FOUND),
    (Api.OLLAMA, 400, {"error": "the input length exceeds the context length"}, C.CONTEXT_LENGTH),
    (Api.OLLAMA, 500, {"error": "model requires more system memory"}, C.SERVER_ERROR),
    (Api.OLLAMA, 200, {"error": "server busy, please try again"}, C.OVERLOADED),
    (Api.OLLAMA, 401, {"error": "unauthorized"}, C.AUTH),
]


@pytest.mark.parametrize(("api", "status", "body", "expected"), TABLE)
def test_error_bodies_are_classified(api: Api, status: int, body: Any, expected: OutcomeClass) -> None:
    outcome = decoded(api, status, body)
    assert outcome.cls is expected
    assert outcome.status == status
    assert outcome.message, "a person must read something"


def test_the_providers_own_words_and_code_are_kept() -> None:
    outcome = decoded(Api.OPENAI, 400, openai("Invalid 'top_p'", "invalid_request_error", "invalid_value"))
    assert outcome.message == "Invalid 'top_p'"
    assert outcome.code == "invalid_value"


def test_what_a_router_hears_from_the_provider_behind_it_is_told() -> None:
    body = {"error": {"code": 400, "message": "Provider returned error", "metadata": {"raw": "top_k is not known"}}}
    assert decoded(Api.OPENAI, 400, body).message == "Provider returned error: top_k is not known"


def test_an_html_page_is_told_by_its_title() -> None:
    page = b"<!DOCTYPE html><html><head><title>502 Bad\n Gateway</title></head><body>nginx</body></html>"
    outcome = decoded(Api.OPENAI, 502, page)
    assert outcome.cls is C.SERVER_ERROR
    assert "HTML page" in outcome.message
    assert "502 Bad" in outcome.message


def test_a_redirect_names_the_host_and_nothing_secret() -> None:
    outcome = decoded(Api.OPENAI, 302, b"", {"location": "https://login.example/start?key=sk-verysecretkey"})
    assert outcome.cls is C.NOT_FOUND
    assert "login.example" in outcome.message
    assert "verysecret" not in outcome.message


@pytest.mark.parametrize(
    "text", ["Incorrect API key provided: sk-proj-abcdefgh", "sent Bearer abcdefghijkl", "AIzaSyA1234567890abcdef"]
)
def test_keys_in_error_messages_are_removed(text: str) -> None:
    message = decoded(Api.OPENAI, 401, openai(text)).message
    assert "[key removed]" in message
    assert "abcdefgh" not in message
    assert "AIza" not in message


def test_a_message_is_at_most_two_thousand_characters() -> None:
    assert len(decoded(Api.OPENAI, 400, openai("x" * 50_000)).message) == 2_000


@pytest.mark.parametrize("body", [b"", b"\xff\xfe", b"[]", b"null", b"12", b'{"choices": []}', b"<html></html>", b"{"])
@pytest.mark.parametrize("api", list(Api))
def test_a_200_of_another_shape_is_malformed(api: Api, body: bytes) -> None:
    outcome = decoded(api, 200, body)
    assert outcome.cls is C.MALFORMED
    assert outcome.raw == body


def test_half_a_surrogate_pair_does_not_reach_the_database() -> None:
    body = b'{"choices":[{"message":{"content":"a\\ud800b"},"finish_reason":"stop"}]}'
    outcome = decoded(Api.OPENAI, 200, body)
    assert outcome.cls is C.OK
    assert outcome.text is not None
    assert outcome.text.encode() == b"a?b"


def test_bytes_that_are_not_utf8_are_replaced() -> None:
    body = b'{"choices":[{"message":{"content":"caf\xe9"},"finish_reason":"stop"}]}'
    assert decoded(Api.OPENAI, 200, body).text == "caf\ufffd"


def test_numbers_beyond_all_bounds_do_not_lose_the_answer() -> None:
    odd = b'"logprobs":{"a":-1e999,"b":' + b"9" * 5_000 + b"}"
    body = b'{"choices":[{"message":{"content":"x"},' + odd + b',"finish_reason":"stop"}]}'
    assert decoded(Api.OPENAI, 200, body).text == "x"


def test_nan_and_a_byte_order_mark_do_not_lose_the_answer() -> None:
    body = b'\xef\xbb\xbf{"choices":[{"message":{"content":"x"},"logprobs":{"a":-Infinity},"finish_reason":"stop"}]}'
    assert decoded(Api.OPENAI, 200, body).text == "x"


WAITS = [
    ({"retry-after-ms": "1500", "retry-after": "9"}, {}, 1.5),
    ({"retry-after": "2.5"}, {}, 2.5),
    ({"retry-after": "Wed, 21 Oct 2026 07:28:30 GMT", "date": "Wed, 21 Oct 2026 07:28:00 GMT"}, {}, 30.0),
    ({"retry-after": "-3"}, {}, None),
    ({"retry-after": "soon"}, {}, None),
    ({"retry-after": "nan"}, {}, None),
    ({}, openai("Please try again in 7.66s. Visit", "tokens"), 7.66),
    ({}, openai("Please try again in 120ms."), 0.12),
    ({}, openai("Please try again in 1m30s."), 90.0),
    ({}, GEMINI_429, 37.0),
    ({}, openai("slow down"), None),
]


@pytest.mark.parametrize(("headers", "body", "expected"), WAITS)
def test_how_long_a_server_asks_to_wait(headers: dict[str, str], body: Any, expected: float | None) -> None:
    assert decoded(Api.OPENAI, 429, body, headers).retry_after_s == pytest.approx(expected)


def test_a_header_made_to_be_slow_takes_no_time() -> None:
    """Digits without a unit were walked from each of them on: while that lasts nothing else runs."""
    limits = decoded(
        Api.OPENAI, 200, {}, {"x-ratelimit-limit-requests": "5", "x-ratelimit-reset-requests": "1" * 200_000 + "x"}
    ).limits
    assert limits is not None
    assert (limits.requests.limit, limits.requests.reset_s) == (5, None)


def test_retry_after_on_a_success_means_nothing() -> None:
    body = {"choices": [{"message": {"content": "x"}, "finish_reason": "stop"}]}
    assert decoded(Api.OPENAI, 200, body, {"retry-after": "60"}).retry_after_s is None


@pytest.mark.parametrize(("said", "expected"), [("true", True), ("false", False), ("maybe", None)])
def test_x_should_retry_is_passed_on(said: str, expected: bool | None) -> None:
    assert decoded(Api.OPENAI, 500, b"{}", {"x-should-retry": said}).should_retry is expected


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "choices",
                    "message",
                    "content",
                    "error",
                    "code",
                    "type",
                    "data",
                    "embedding",
                    "embeddings",
                    "usage",
                    "prompt_tokens",
                    "finish_reason",
                    "tool_calls",
                    "refusal",
                    "models",
                    "done",
                    "done_reason",
                    "response",
                    "stop_reason",
                    "text",
                    "index",
                    "metadata",
                    "raw",
                    "detail",
                ]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=20,
)
HEADERS = st.dictionaries(
    st.sampled_from(
        [
            "retry-after",
            "retry-after-ms",
            "date",
            "location",
            "x-should-retry",
            "x-ratelimit-limit-requests",
            "x-ratelimit-reset-requests",
            "anthropic-ratelimit-tokens-limit",
            "anthropic-ratelimit-tokens-reset",
        ]
    ),
    st.text(max_size=30) | st.sampled_from(["1e999", "-1", "0", "9" * 400, "0001-01-01T00:00:00+23:59", "6m0s"]),
)


@settings(deadline=None, max_examples=120)
@given(
    api=st.sampled_from(list(Api)),
    operation=st.sampled_from(list(Operation)),
    status=st.integers(100, 599) | st.just(200),
    headers=HEADERS,
    body=st.binary(max_size=200) | VALUES.map(lambda value: json.dumps(value).encode()),
)
def test_decoding_never_raises(
    api: Api, operation: Operation, status: int, headers: dict[str, str], body: bytes
) -> None:
    outcome = provider_for(api).decode(operation, HttpResponse(status, headers, body))
    assert outcome.text is not None or outcome.message
    (outcome.text or "").encode()
    outcome.message.encode()


def test_a_limit_on_input_tokens_alone_is_heeded() -> None:
    said = {"anthropic-ratelimit-input-tokens-limit": "50000", "anthropic-ratelimit-input-tokens-remaining": "12"}
    limits = decoded(Api.ANTHROPIC, 429, {}, said).limits
    assert limits is not None
    assert (limits.tokens.limit, limits.tokens.remaining, limits.requests.limit) == (50_000, 12, None)


@pytest.mark.parametrize("opening", [b"[", b'{"choices":[{"message":{"tool_calls":['])
def test_absurd_nesting_is_no_crash(opening: bytes) -> None:
    depth = 100_000 if opening == b"[" else 600
    close = b"]" * depth if opening == b"[" else b"]" * depth + b"]}}]}"
    body = (opening if opening != b"[" else b"") + b"[" * depth + close
    assert decoded(Api.OPENAI, 200, body).cls is C.MALFORMED

"""What is sent for a request, and what a good answer means, in each wire format."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tui_batch.domain.endpoint import Api, Operation
from tui_batch.domain.outcome import Outcome, OutcomeClass, Usage
from tui_batch.domain.request import Message, PromptRequest
from tui_batch.providers.base import EncodeError, HttpResponse
from tui_batch.providers.registry import provider_for

CHAT = (Message("system", "Be short."), Message("user", "Hello"))
SCHEMA = {
    "type": "object",
    "properties": {"why": {"type": "string", "maxLength": 9}, "answer": {"type": "integer", "minimum": 1}},
    "required": ["why", "answer"],
}


def sent(api: Api, request: PromptRequest, model: str = "m") -> tuple[str, dict[str, Any]]:
    encoded = provider_for(api).encode(request, model)
    return encoded.path, json.loads(encoded.body)


def chat(params: dict[str, Any] | None = None, schema: Any = None) -> PromptRequest:
    return PromptRequest(Operation.CHAT, CHAT, params or {}, schema)


def answered(api: Api, body: Any, operation: Operation = Operation.CHAT, **headers: str) -> Outcome:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return provider_for(api).decode(operation, HttpResponse(200, named, json.dumps(body).encode()))


# --- OpenAI: requests ------------------------------------------------------------------------------------------


def test_openai_chat_request() -> None:
    path, body = sent(Api.OPENAI, chat({"temperature": 0, "max_tokens": 9, "top_k": 5, "stream": True}))
    assert path == "/chat/completions"
    assert body == {
        "model": "m",
        "messages": [{"role": "system", "content": "Be short."}, {"role": "user", "content": "Hello"}],
        "temperature": 0,
        "max_tokens": 9,
        "top_k": 5,
    }


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("gpt-4o", {"max_tokens": 9, "temperature": 0}),
        ("o3-mini", {"max_completion_tokens": 9}),
        ("gpt-5-mini", {"max_completion_tokens": 9}),
        ("gpt-5-2025-08-07", {"max_completion_tokens": 9}),
        ("gpt-5.1", {"max_completion_tokens": 9, "temperature": 0}),
        ("gpt-5-chat-latest", {"max_completion_tokens": 9, "temperature": 0}),
        ("openai/gpt-5-mini", {"max_tokens": 9, "temperature": 0}),
        ("olmo-1b", {"max_tokens": 9, "temperature": 0}),
    ],
)
def test_parameters_fit_the_model_family(model: str, expected: dict[str, Any]) -> None:
    _, body = sent(Api.OPENAI, chat({"max_tokens": 9, "temperature": 0}), model)
    assert {name: value for name, value in body.items() if name not in ("model", "messages")} == expected


def test_openai_schema_is_strict_only_when_asked() -> None:
    _, loose = sent(Api.OPENAI, chat(schema=SCHEMA))
    assert loose["response_format"] == {"type": "json_schema", "json_schema": {"name": "answer", "schema": SCHEMA}}
    _, strict = sent(Api.OPENAI, chat({"strict": True}, {**SCHEMA, "title": "Ticket_1"}))
    assert strict["response_format"]["json_schema"]["strict"] is True
    assert strict["response_format"]["json_schema"]["name"] == "Ticket_1"
    assert "strict" not in strict


@pytest.mark.parametrize("api", [Api.ANTHROPIC, Api.OLLAMA])
def test_openais_word_strict_stays_out_of_other_formats(api: Api) -> None:
    assert b"strict" not in provider_for(api).encode(chat({"strict": True}, SCHEMA), "m").body


@pytest.mark.parametrize("api", list(Api))
def test_a_schema_keeps_its_order_because_answers_follow_it(api: Api) -> None:
    encoded = provider_for(api).encode(chat(schema=SCHEMA), "m").body
    assert encoded.index(b'"why"') < encoded.index(b'"answer":{"type"')


def test_a_ready_body_is_sent_as_it_is_but_for_model_and_streaming() -> None:
    given_body = {"model": "old", "messages": [{"role": "user", "content": "x"}], "stream": True, "seed": 3}
    path, body = sent(Api.OPENAI, PromptRequest(Operation.CHAT, body=given_body), "new")
    assert path == "/chat/completions"
    assert body == {"model": "new", "messages": [{"role": "user", "content": "x"}], "seed": 3}
    assert sent(Api.OPENAI, PromptRequest(Operation.CHAT, body={"input": "x"}))[0] == "/embeddings"


@pytest.mark.parametrize("api", [Api.ANTHROPIC, Api.OLLAMA])
def test_ready_bodies_belong_to_openai_servers(api: Api) -> None:
    with pytest.raises(EncodeError, match="OpenAI"):
        provider_for(api).encode(PromptRequest(Operation.CHAT, body={"messages": []}), "m")


def test_openai_embedding_request() -> None:
    request = PromptRequest(Operation.EMBED, (Message("user", "text"),), {"dimensions": 8})
    assert sent(Api.OPENAI, request) == ("/embeddings", {"model": "m", "input": "text", "dimensions": 8})


@pytest.mark.parametrize(
    ("api", "operation"),
    [(Api.OPENAI, Operation.GENERATE), (Api.ANTHROPIC, Operation.EMBED), (Api.ANTHROPIC, Operation.GENERATE)],
)
def test_what_a_format_cannot_say_is_refused_in_words(api: Api, operation: Operation) -> None:
    with pytest.raises(EncodeError, match=str(operation)):
        provider_for(api).encode(PromptRequest(operation, CHAT), "m")


@pytest.mark.parametrize("value", ["\ud800", 10**30, {1, 2}])
def test_what_json_cannot_hold_is_the_rows_error(value: Any) -> None:
    with pytest.raises(EncodeError, match="JSON"):
        provider_for(Api.OPENAI).encode(PromptRequest(Operation.CHAT, (Message("user", value),)), "m")


@settings(deadline=None, max_examples=50)
@given(
    api=st.sampled_from(list(Api)),
    params=st.dictionaries(
        st.sampled_from(["temperature", "top_p", "seed", "stop", "num_ctx", "keep_alive", "user"]),
        st.none() | st.integers(0, 9) | st.text("ab", max_size=3),
    ),
)
def test_equal_requests_are_equal_bytes_in_whatever_order(api: Api, params: dict[str, Any]) -> None:
    backwards = dict(reversed(params.items()))
    provider = provider_for(api)
    assert provider.encode(chat(params), "m") == provider.encode(chat(backwards), "m")


# --- OpenAI: answers -------------------------------------------------------------------------------------------


def completion(message: dict[str, Any], finish: str | None = "stop", **more: Any) -> dict[str, Any]:
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "model": "gpt-4o-2024-08-06",
        "choices": [{"index": 0, "message": {"role": "assistant", **message}, "finish_reason": finish}],
        "usage": {
            "prompt_tokens": 100,
            "completion_tokens": 20,
            "total_tokens": 120,
            "prompt_tokens_details": {"cached_tokens": 64},
            "completion_tokens_details": {"reasoning_tokens": 7},
        },
        **more,
    }


def test_openai_answer_with_usage_limits_and_request_id() -> None:
    outcome = answered(
        Api.OPENAI,
        completion({"content": "Hi", "refusal": None}),
        x_request_id="req_1",
        x_ratelimit_limit_requests="500",
        x_ratelimit_remaining_requests="499",
        x_ratelimit_reset_requests="120ms",
        x_ratelimit_limit_tokens="30000",
        x_ratelimit_remaining_tokens="0",
        x_ratelimit_reset_tokens="6m0.5s",
    )
    assert (outcome.cls, outcome.text, outcome.finish_reason) == (OutcomeClass.OK, "Hi", "stop")
    assert outcome.usage == Usage(100, 20, cached_tokens=64)
    assert (outcome.model, outcome.request_id, outcome.message) == ("gpt-4o-2024-08-06", "req_1", "")
    assert outcome.limits is not None
    assert (outcome.limits.requests.limit, outcome.limits.requests.remaining) == (500, 499)
    assert outcome.limits.requests.reset_s == pytest.approx(0.12)
    assert (outcome.limits.tokens.remaining, outcome.limits.tokens.reset_s) == (0, 360.5)


@pytest.mark.parametrize(
    ("usage", "made"),
    [
        # Gemini and xAI leave the reasoning out of completion_tokens; both count it in the total, and bill it.
        ({"prompt_tokens": 20, "completion_tokens": 198, "total_tokens": 623}, 603),
        ({"completion_tokens_details": {"reasoning_tokens": 60}, "completion_tokens": 0, "total_tokens": 160}, 60),
        ({"completion_tokens_details": {"reasoning_tokens": 7}, "total_tokens": 120}, 20),
        # A total that counts something else explains nothing.
        ({"completion_tokens_details": {"reasoning_tokens": 7}, "total_tokens": 500}, 20),
        ({"total_tokens": None}, 20),
    ],
)
def test_reasoning_that_only_the_total_counts_is_part_of_the_answer(usage: dict[str, Any], made: int) -> None:
    told = completion({"content": "x"})
    if "prompt_tokens" in usage:
        told["usage"] = {}
    told["usage"] |= usage

    assert answered(Api.OPENAI, told).usage.output_tokens == made


def test_the_tier_and_the_sound_that_were_billed_are_read() -> None:
    told = completion({"content": "x"}, service_tier="priority")
    told["usage"]["prompt_tokens_details"]["audio_tokens"] = 11
    usage = answered(Api.OPENAI, told).usage

    assert (usage.tier, usage.sound_tokens) == ("priority", 11)


@pytest.mark.parametrize("nonsense", ["-1", "0", "", "many", "nan", "1e400"])
def test_limits_that_make_no_sense_are_unknown(nonsense: str) -> None:
    outcome = answered(
        Api.OPENAI,
        completion({"content": "x"}),
        x_ratelimit_limit_requests=nonsense,
        x_ratelimit_remaining_requests="5",
        x_ratelimit_reset_requests="-1s",
    )
    assert outcome.limits is not None
    assert outcome.limits.requests.limit is None
    assert outcome.limits.requests.reset_s is None


OPENAI_ENDS = [
    (completion({"content": "Half"}, "length"), OutcomeClass.TRUNCATED, "Half"),
    (completion({"content": None, "reasoning_content": "hm"}, "length"), OutcomeClass.TRUNCATED, ""),
    (completion({"content": "Bad"}, "content_filter"), OutcomeClass.REFUSED, "Bad"),
    (completion({"content": None, "refusal": "I cannot."}), OutcomeClass.REFUSED, "I cannot."),
    (completion({"content": None}), OutcomeClass.MALFORMED, None),
    (completion({"content": None, "reasoning_content": "hm"}), OutcomeClass.MALFORMED, None),
    (completion({"content": ""}), OutcomeClass.OK, ""),
    (completion({"content": "x"}, None), OutcomeClass.OK, "x"),
    (completion({"content": [{"type": "thinking"}, {"type": "text", "text": "ab"}]}), OutcomeClass.OK, "ab"),
    (completion({"content": "x"}, "error"), OutcomeClass.SERVER_ERROR, "x"),
    (completion({"content": "x"}, "insufficient_system_resource"), OutcomeClass.OVERLOADED, "x"),
    ({"choices": [{"text": "legacy", "finish_reason": "stop"}]}, OutcomeClass.OK, "legacy"),
    ({"choices": [{"error": {"code": 429, "message": "slow"}}]}, OutcomeClass.RATE_LIMITED, None),
]


@pytest.mark.parametrize(("body", "expected", "text"), OPENAI_ENDS)
def test_how_openai_answers_end(body: dict[str, Any], expected: OutcomeClass, text: str | None) -> None:
    outcome = answered(Api.OPENAI, body)
    assert (outcome.cls, outcome.text) == (expected, text)
    assert (outcome.cls is OutcomeClass.OK) == (not outcome.message)


def test_tool_calls_are_the_answer_as_json() -> None:
    calls = [{"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}}]
    outcome = answered(Api.OPENAI, completion({"content": None, "tool_calls": calls}, "tool_calls"))
    assert outcome.cls is OutcomeClass.OK
    assert json.loads(outcome.text or "") == calls


@pytest.mark.parametrize(
    "usage", [None, {}, {"prompt_tokens": None}, {"prompt_tokens": -1}, "many", {"prompt_tokens": True}]
)
def test_usage_that_is_not_said_is_unknown_not_zero(usage: Any) -> None:
    assert answered(Api.OPENAI, completion({"content": "x"}, usage=usage)).usage == Usage()


def test_embeddings_are_matched_by_index() -> None:
    body = {
        "data": [{"index": 1, "embedding": [3.0]}, {"index": 0, "embedding": [1.0, 2.5]}],
        "usage": {"prompt_tokens": 5, "total_tokens": 5},
        "model": "e",
    }
    outcome = answered(Api.OPENAI, body, Operation.EMBED)
    assert json.loads(outcome.text or "") == [[1.0, 2.5], [3.0]]
    assert outcome.usage == Usage(5, 0)
    single = answered(Api.OPENAI, {"data": [{"index": 0, "embedding": "AACAPwAAIEA="}]}, Operation.EMBED)
    assert json.loads(single.text or "") == [1.0, 2.5]


@pytest.mark.parametrize("embedding", [None, [], "!!", ["a"], {}])
def test_an_embedding_that_is_none_is_malformed(embedding: Any) -> None:
    body = {"data": [{"index": 0, "embedding": embedding}]}
    assert answered(Api.OPENAI, body, Operation.EMBED).cls is OutcomeClass.MALFORMED


# --- Anthropic -------------------------------------------------------------------------------------------------


def test_anthropic_request() -> None:
    path, body = sent(Api.ANTHROPIC, chat({"stop": "END", "temperature": 0}), "claude-sonnet-4-5")
    assert path == "/v1/messages"
    assert body == {
        "model": "claude-sonnet-4-5",
        "max_tokens": 1024,
        "system": "Be short.",
        "messages": [{"role": "user", "content": "Hello"}],
        "stop_sequences": ["END"],
        "temperature": 0,
    }
    assert sent(Api.ANTHROPIC, chat({"max_completion_tokens": 7}))[1]["max_tokens"] == 7


def test_anthropic_schema_is_closed_and_without_the_words_it_refuses() -> None:
    _, body = sent(Api.ANTHROPIC, chat(schema=SCHEMA), "claude-sonnet-4-5")
    assert body["output_config"]["format"] == {
        "type": "json_schema",
        "schema": {
            "type": "object",
            "properties": {"why": {"type": "string"}, "answer": {"type": "integer"}},
            "required": ["why", "answer"],
            "additionalProperties": False,
        },
    }
    assert "output_config" not in sent(Api.ANTHROPIC, chat(schema=SCHEMA), "claude-3-5-haiku-latest")[1]


def test_a_property_named_like_a_schema_word_survives() -> None:
    schema = {
        "type": "object",
        "properties": {"pattern": {"type": "string"}, "default": {"enum": [{"type": "object"}]}},
    }
    _, body = sent(Api.ANTHROPIC, chat(schema=schema), "claude-sonnet-4-5")
    properties = body["output_config"]["format"]["schema"]["properties"]
    assert properties == {"pattern": {"type": "string"}, "default": {"enum": [{"type": "object"}]}}


def anthropic_message(content: list[Any], stop: str = "end_turn") -> dict[str, Any]:
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude-sonnet-4-5-20250929",
        "content": content,
        "stop_reason": stop,
        "usage": {
            "input_tokens": 10,
            "cache_creation_input_tokens": 200,
            "cache_read_input_tokens": 3000,
            "output_tokens": 40,
            "output_tokens_details": {"thinking_tokens": 30},
        },
    }


def test_anthropic_answer_counts_all_three_kinds_of_input() -> None:
    content = [
        {"type": "thinking", "thinking": "hm"},
        {"type": "text", "text": "Good "},
        {"type": "text", "text": "day"},
    ]
    outcome = answered(
        Api.ANTHROPIC,
        anthropic_message(content),
        request_id="req_7",
        date="Wed, 21 Oct 2026 07:28:00 GMT",
        anthropic_ratelimit_requests_limit="50",
        anthropic_ratelimit_requests_remaining="49",
        anthropic_ratelimit_requests_reset="2026-10-21T07:28:12Z",
    )
    assert (outcome.cls, outcome.text, outcome.request_id) == (OutcomeClass.OK, "Good day", "req_7")
    assert outcome.usage == Usage(3210, 40, cached_tokens=3000, cache_write_tokens=200)
    assert outcome.limits is not None
    assert (outcome.limits.requests.limit, outcome.limits.requests.reset_s) == (50, 12.0)


@pytest.mark.parametrize(
    ("stop", "expected"),
    [
        ("end_turn", OutcomeClass.OK),
        ("stop_sequence", OutcomeClass.OK),
        ("max_tokens", OutcomeClass.TRUNCATED),
        ("model_context_window_exceeded", OutcomeClass.TRUNCATED),
        ("pause_turn", OutcomeClass.TRUNCATED),
        ("refusal", OutcomeClass.REFUSED),
    ],
)
def test_how_anthropic_answers_end(stop: str, expected: OutcomeClass) -> None:
    outcome = answered(Api.ANTHROPIC, anthropic_message([{"type": "text", "text": "t"}], stop))
    assert (outcome.cls, outcome.text, outcome.finish_reason) == (expected, "t", stop)


def test_anthropic_tool_use_is_the_answer_as_json() -> None:
    block = {"type": "tool_use", "id": "t1", "name": "f", "input": {"a": 1}}
    outcome = answered(Api.ANTHROPIC, anthropic_message([{"type": "text", "text": "So:"}, block], "tool_use"))
    assert json.loads(outcome.text or "") == [block]


def test_anthropic_names_the_request_in_the_body_too() -> None:
    body = {"type": "error", "error": {"type": "api_error", "message": "x"}, "request_id": "req_b"}
    response = HttpResponse(500, {}, json.dumps(body).encode())
    assert provider_for(Api.ANTHROPIC).decode(Operation.CHAT, response).request_id == "req_b"


# --- Ollama ----------------------------------------------------------------------------------------------------


def test_ollama_chat_request_never_streams_and_never_cuts() -> None:
    params = {"temperature": 0, "max_tokens": 9, "num_ctx": 4096, "stop": "X", "keep_alive": "5m", "think": False}
    path, body = sent(Api.OLLAMA, chat({**params, "stream": True, "truncate": True}, SCHEMA))
    assert path == "/api/chat"
    assert body == {
        "model": "m",
        "stream": False,
        "truncate": False,
        "messages": [{"role": "system", "content": "Be short."}, {"role": "user", "content": "Hello"}],
        "options": {"temperature": 0, "num_predict": 9, "num_ctx": 4096, "stop": ["X"]},
        "keep_alive": "5m",
        "think": False,
        "format": SCHEMA,
    }


def test_ollama_generate_and_embed_requests() -> None:
    path, body = sent(Api.OLLAMA, PromptRequest(Operation.GENERATE, CHAT, {"options": {"seed": 1}}))
    assert path == "/api/generate"
    assert (body["system"], body["prompt"], body["options"], body["stream"]) == (
        "Be short.",
        "Hello",
        {"seed": 1},
        False,
    )
    path, body = sent(Api.OLLAMA, PromptRequest(Operation.EMBED, (Message("user", "t"),), {"dimensions": 4}))
    assert path == "/api/embed"
    assert body == {"model": "m", "input": "t", "truncate": False, "dimensions": 4}


def test_ollama_answers() -> None:
    chat_body = {
        "model": "llama3",
        "message": {"role": "assistant", "content": "Hi", "thinking": "hm"},
        "done": True,
        "done_reason": "stop",
        "prompt_eval_count": 11,
        "eval_count": 2,
    }
    outcome = answered(Api.OLLAMA, chat_body)
    assert (outcome.cls, outcome.text, outcome.usage, outcome.model) == (OutcomeClass.OK, "Hi", Usage(11, 2), "llama3")
    assert answered(Api.OLLAMA, {**chat_body, "done_reason": "length"}).cls is OutcomeClass.TRUNCATED
    assert answered(Api.OLLAMA, {**chat_body, "done": False}).cls is OutcomeClass.MALFORMED
    assert answered(Api.OLLAMA, {**chat_body, "done_reason": "load"}).cls is OutcomeClass.MALFORMED
    generated = answered(Api.OLLAMA, {"response": "Text", "done": True}, Operation.GENERATE)
    assert (generated.text, generated.usage) == ("Text", Usage())
    embedded = answered(Api.OLLAMA, {"embeddings": [[0.5, 1]], "prompt_eval_count": 3}, Operation.EMBED)
    assert (json.loads(embedded.text or ""), embedded.usage) == ([0.5, 1], Usage(3, 0))


# --- keys and models -------------------------------------------------------------------------------------------


def test_each_format_carries_its_key_in_its_own_header() -> None:
    assert provider_for(Api.OPENAI).auth_headers("k") == (("authorization", "Bearer k"),)
    assert provider_for(Api.ANTHROPIC).auth_headers("k") == (("x-api-key", "k"), ("anthropic-version", "2023-06-01"))
    assert provider_for(Api.OLLAMA).auth_headers(None) == ()


MODEL_LISTS = [
    (Api.OPENAI, {"data": [{"id": "gpt-4o", "owned_by": "openai"}]}, [("gpt-4o", None)]),
    (Api.OPENAI, {"data": [{"id": "q", "max_model_len": 32768, "owned_by": "vllm"}]}, [("q", 32768)]),
    (Api.OPENAI, {"data": [{"id": "l.gguf", "meta": {"n_ctx_train": 8192}}]}, [("l.gguf", 8192)]),
    (Api.OPENAI, [{"id": "meta/llama", "context_length": 131072}], [("meta/llama", 131072)]),
    (Api.OPENAI, {"data": [{"id": "models/gemini-2.5-flash"}, {"no": 1}]}, [("gemini-2.5-flash", None)]),
    (Api.ANTHROPIC, {"data": [{"id": "claude-x", "display_name": "Claude X"}]}, [("claude-x", None)]),
    (Api.OLLAMA, {"models": [{"name": "a:1", "details": {"parameter_size": "8B"}}]}, [("a:1", None)]),
]


@pytest.mark.parametrize(("api", "body", "expected"), MODEL_LISTS)
def test_lists_of_models(api: Api, body: Any, expected: list[tuple[str, int | None]]) -> None:
    found = provider_for(api).decode_models(HttpResponse(200, {}, json.dumps(body).encode()))
    assert [(model.id, model.context_length) for model in found] == expected


@pytest.mark.parametrize("api", list(Api))
@pytest.mark.parametrize("body", [b"", b"{}", b"<html>", b'{"data": 3, "models": 3}'])
def test_what_is_no_list_of_models_is_said_so(api: Api, body: bytes) -> None:
    with pytest.raises(ValueError, match="list of models"):
        provider_for(api).decode_models(HttpResponse(200, {}, body))

"""Streamed answers as servers send them: each must mean exactly what the same answer in one piece would."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tui_batch.domain.endpoint import Api, DeploymentKey, Endpoint, Operation
from tui_batch.domain.outcome import Outcome, OutcomeClass
from tui_batch.domain.request import Message, PromptRequest, Timeouts, WireRequest
from tui_batch.providers.base import FailureKind, HttpRequest, HttpResponse, TransportFailure
from tui_batch.providers.client import EndpointClient
from tui_batch.providers.registry import provider_for
from tui_batch.providers.sse import Events, Lines
from tui_batch.simulator.config import SimulatorConfig
from tui_batch.simulator.core import Simulator
from tui_batch.simulator.wire import SimRequest

OPENAI = (
    b"\xef\xbb\xbf: OPENROUTER PROCESSING\r\n\r\n"
    b'data: {"id":"chatcmpl-9","object":"chat.completion.chunk","created":1763000000,"model":"gpt-4o-mini-2024-07-18",'
    b'"choices":[{"index":0,"delta":{"role":"assistant","content":"","refusal":null},"finish_reason":null}],'
    b'"usage":null}\r\n\r\n'
    b'id: 7\r\nretry: 1000\r\ndata: {"id":"chatcmpl-9","choices":[{"index":0,\r\n'
    b'data: "delta":{"content":"Gr\xc3\xbc\xc3\x9fe \xf0\x9f\x8c\x8a"},"finish_reason":null}]}\r\n\r\n'
    b'data:{"id":"chatcmpl-9","choices":[{"index":0,"delta":{"content":"!"},"finish_reason":null}]}\r\n\r\n'
    b'data: {"id":"chatcmpl-9","choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"usage":null}\r\n\r\n'
    b'data: {"id":"chatcmpl-9","choices":[],"usage":{"prompt_tokens":12,"completion_tokens":5,"total_tokens":17,'
    b'"prompt_tokens_details":{"cached_tokens":4}}}\r\n\r\n'
    b"data: [DONE]\r\n\r\n"
)
ANTHROPIC = (
    b'event: message_start\ndata: {"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant",'
    b'"content":[],"model":"claude-sonnet-4-5","stop_reason":null,"stop_sequence":null,'
    b'"usage":{"input_tokens":25,"cache_read_input_tokens":5,"output_tokens":1}}}\n\n'
    b'event: content_block_start\ndata: {"type":"content_block_start","index":0,'
    b'"content_block":{"type":"thinking","thinking":""}}\n\n'
    b'event: ping\ndata: {"type": "ping"}\n\n'
    b'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,'
    b'"delta":{"type":"thinking_delta","thinking":"Let me see."}}\n\n'
    b'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,'
    b'"delta":{"type":"signature_delta","signature":"EqQB"}}\n\n'
    b'event: content_block_stop\ndata: {"type":"content_block_stop","index":0}\n\n'
    b'event: content_block_start\ndata: {"type":"content_block_start","index":1,'
    b'"content_block":{"type":"text","text":""}}\n\n'
    b'event: content_block_delta\ndata: {"type":"content_block_delta","index":1,'
    b'"delta":{"type":"text_delta","text":"Hell\xc3\xb6"}}\n\n'
    b'event: content_block_delta\ndata: {"type":"content_block_delta","index":1,'
    b'"delta":{"type":"text_delta","text":" there"}}\n\n'
    b'event: content_block_stop\ndata: {"type":"content_block_stop","index":1}\n\n'
    b'event: message_delta\ndata: {"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},'
    b'"usage":{"output_tokens":15}}\n\n'
    b'event: message_stop\ndata: {"type":"message_stop"}\n\n'
)
OLLAMA = (
    b'{"model":"llama3.2","created_at":"2026-01-01T00:00:00Z","message":{"role":"assistant","content":"",'
    b'"thinking":"Hm."},"done":false}\n'
    b'{"model":"llama3.2","created_at":"2026-01-01T00:00:00Z","message":{"role":"assistant","content":"Blue \xe2\x80'
    b'\x94 "},"done":false}\n'
    b'{"model":"llama3.2","created_at":"2026-01-01T00:00:01Z","message":{"role":"assistant","content":"mostly."},'
    b'"done":false}\n'
    b'{"model":"llama3.2","created_at":"2026-01-01T00:00:02Z","message":{"role":"assistant","content":""},'
    b'"done_reason":"stop","done":true,"total_duration":4883583458,"prompt_eval_count":26,"eval_count":282}\n'
)
TRANSCRIPTS = {Api.OPENAI: OPENAI, Api.ANTHROPIC: ANTHROPIC, Api.OLLAMA: OLLAMA}
"""An answer in pieces, of every format that streams."""


def test_every_format_that_streams_has_an_answer_here() -> None:
    asked = PromptRequest(Operation.CHAT, (Message("user", "hi"),))
    streams = {api for api in Api if (made := provider_for(api)).stream(made.encode(asked, "m")) is not None}
    assert streams == set(TRANSCRIPTS)


def outcome(api: Api, *pieces: bytes, operation: Operation = Operation.CHAT, headers: Any = None) -> Outcome:
    """What a 200 with these pieces comes to. Raises TransportFailure for a stream that was cut."""
    provider = provider_for(api)
    assembler = provider.assembler(operation)
    for piece in pieces:
        assembler.feed(piece)
    return provider.decode(operation, HttpResponse(200, headers or {}, assembler.finish()))


def outcome_unless_cut(api: Api, *pieces: bytes) -> Outcome | None:
    """None for a stream that was cut, which is to be a broken connection and nothing else."""
    try:
        return outcome(api, *pieces)
    except TransportFailure as failure:
        return None if failure.kind is FailureKind.READ else pytest.fail(str(failure))


def events(*values: Any) -> bytes:
    """An OpenAI stream of these chunks, without its end."""
    return b"".join(b"data: " + orjson.dumps(value) + b"\n\n" for value in values)


def delta(**fields: Any) -> dict[str, Any]:
    """A chunk of an OpenAI stream; `finish` is its finish reason."""
    finish = fields.pop("finish", None)
    return {"choices": [{"index": 0, "delta": fields, "finish_reason": finish}]}


DONE = b"data: [DONE]\n\n"


def test_a_real_openai_stream() -> None:
    found = outcome(Api.OPENAI, OPENAI, headers={"x-request-id": "req_1"})
    assert (found.cls, found.text, found.finish_reason) == (OutcomeClass.OK, "Grüße 🌊!", "stop")
    assert (found.usage.input_tokens, found.usage.output_tokens, found.usage.cached_tokens) == (12, 5, 4)
    assert (found.model, found.request_id) == ("gpt-4o-mini-2024-07-18", "req_1")


def test_a_real_anthropic_stream_with_thinking_and_a_ping() -> None:
    found = outcome(Api.ANTHROPIC, ANTHROPIC)
    assert (found.cls, found.text, found.finish_reason) == (OutcomeClass.OK, "Hellö there", "end_turn")
    assert (found.usage.input_tokens, found.usage.output_tokens, found.usage.cached_tokens) == (30, 15, 5)
    assert found.model == "claude-sonnet-4-5"


def test_a_real_ollama_stream() -> None:
    found = outcome(Api.OLLAMA, OLLAMA)
    assert (found.cls, found.text, found.finish_reason) == (OutcomeClass.OK, "Blue — mostly.", "stop")
    assert (found.usage.input_tokens, found.usage.output_tokens) == (26, 282)
    whole = orjson.loads(found.raw or b"")
    assert whole["message"] == {"role": "assistant", "content": "Blue — mostly.", "thinking": "Hm."}


@pytest.mark.parametrize("api", TRANSCRIPTS)
@settings(deadline=None, max_examples=30)
@given(data=st.data())
def test_where_the_bytes_are_cut_makes_no_difference(api: Api, data: st.DataObject) -> None:
    stream = data.draw(st.sampled_from([TRANSCRIPTS[api], TRANSCRIPTS[api].replace(b"\r\n", b"\n")]))
    if api is not Api.OLLAMA and data.draw(st.booleans()):
        stream = stream.replace(b"\r\n", b"\n").replace(b"\n", b"\r")
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=40)))
    pieces = [stream[start:end] for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    assert outcome(api, *pieces) == outcome(api, TRANSCRIPTS[api])


@pytest.mark.parametrize("api", TRANSCRIPTS)
def test_byte_by_byte(api: Api) -> None:
    stream = TRANSCRIPTS[api]
    assert outcome(api, *(stream[at : at + 1] for at in range(len(stream)))) == outcome(api, stream)


@pytest.mark.parametrize("api", TRANSCRIPTS)
@settings(deadline=None, max_examples=30)
@given(data=st.data())
def test_a_stream_that_ends_early_is_a_broken_connection_and_never_half_an_answer(
    api: Api, data: st.DataObject
) -> None:
    stream = TRANSCRIPTS[api].removeprefix(b"\xef\xbb\xbf")
    end = data.draw(st.integers(1, len(stream) - 1))
    found, whole = outcome_unless_cut(api, stream[:end]), outcome(api, stream)
    if found is not None:
        assert (found.cls, found.text, found.finish_reason) == (whole.cls, whole.text, whole.finish_reason)


@settings(deadline=None, max_examples=30)
@given(
    st.sampled_from(Api), st.lists(st.binary(max_size=60) | st.sampled_from([b"data: ", b"\n\n", b"event: error\n"]))
)
def test_no_bytes_make_an_assembler_raise_anything_else(api: Api, pieces: list[bytes]) -> None:
    found = outcome_unless_cut(api, *pieces)
    assert found is None or found.cls in OutcomeClass


WORDS = [
    "choices",
    "delta",
    "content",
    "tool_calls",
    "function",
    "name",
    "arguments",
    "index",
    "id",
    "message",
    "error",
    "usage",
    "finish_reason",
    "refusal",
    "type",
    "content_block",
    "stop_reason",
    "text",
    "partial_json",
    "input",
    "done",
    "response",
    "thinking",
    "code",
]
LEAVES = st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=3) | st.sampled_from(["message_start", "x"])
SHAPES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS), inner), max_leaves=20
)
TYPES = ("message_start", "content_block_start", "content_block_delta", "message_delta", "message_stop")


@settings(deadline=None, max_examples=100)
@given(st.sampled_from(Api), st.lists(st.tuples(st.sampled_from(TYPES), SHAPES), max_size=4))
def test_fields_of_the_wrong_kind_raise_nothing_either(api: Api, shapes: list[tuple[str, Any]]) -> None:
    values = [{"type": kind, **shape} if isinstance(shape, dict) else shape for kind, shape in shapes]
    lines = b"".join(orjson.dumps(value) + b"\n" for value in values)
    stream = lines if api is Api.OLLAMA else events(*values) + DONE
    found = outcome_unless_cut(api, stream)
    assert found is None or found.cls in OutcomeClass


def test_an_answer_nested_too_deep_is_malformed() -> None:
    deep = b"[" * 400 + b"]" * 400
    stream = b'data: {"choices":[{"delta":{"content":' + deep + b'},"finish_reason":"stop"}]}\n\n' + DONE
    assert outcome(Api.OPENAI, stream).cls is OutcomeClass.MALFORMED


@settings(deadline=None, max_examples=100)
@given(st.lists(st.sampled_from([b"a", b"bc", b"\n", b"\r", b"\r\n", b""])), st.data())
def test_lines_are_the_same_however_they_come(parts: list[bytes], data: st.DataObject) -> None:
    text = b"".join(parts)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=8)))
    lines = Lines()
    found = [
        line for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True) for line in lines.feed(text[start:end])
    ]
    assert [*found, *lines.finish()] == text.splitlines()


def test_a_long_line_in_many_pieces_takes_no_time() -> None:
    feed = Events()
    feed_all = [event for _ in range(20_000) for event in feed.feed(b"x" * 500)]
    assert feed_all == []
    assert [event.data for event in feed.feed(b"\ndata: 1\n\n")] == [b"1"]


def test_a_page_of_many_lines_in_place_of_a_stream_takes_no_time() -> None:
    """Each line once: to copy all before it with every line takes minutes, in which nothing else runs."""
    page = b"<p>\n" + b"no server behind this proxy answers ".ljust(500) + b"\n"
    found = provider_for(Api.OLLAMA).assembler(Operation.CHAT)
    found.feed(page + page * 50_000)
    assert len(found.finish()) == 50_001 * len(page) - 1


def test_a_stream_without_done_is_whole_when_it_says_why_it_finished() -> None:
    found = outcome(Api.OPENAI, events(delta(content="yes"), delta(finish="stop")))
    assert (found.cls, found.text) == (OutcomeClass.OK, "yes")


def test_a_stream_without_done_or_reason_was_cut() -> None:
    with pytest.raises(TransportFailure, match="ended before the answer was whole"):
        outcome(Api.OPENAI, events(delta(content="ye")))


@pytest.mark.parametrize(("reason", "cls"), [("length", "truncated"), ("content_filter", "refused")])
def test_finish_reasons_mean_what_they_mean_unstreamed(reason: str, cls: str) -> None:
    found = outcome(Api.OPENAI, events(delta(content="so far"), delta(finish=reason)) + DONE)
    assert (found.cls, found.text) == (OutcomeClass(cls), "so far")


def test_a_refusal_comes_in_pieces() -> None:
    found = outcome(
        Api.OPENAI,
        events(delta(content="", refusal=None), delta(refusal="I can't "), delta(refusal="help."), delta(finish="stop"))
        + DONE,
    )
    assert (found.cls, found.text) == (OutcomeClass.REFUSED, "I can't help.")


def call(index: int | None, **fields: Any) -> dict[str, Any]:
    """A piece of a tool call."""
    function = {name: fields[name] for name in ("name", "arguments") if name in fields}
    given = {"index": index, "id": fields.get("id"), "function": function}
    return {name: value for name, value in given.items() if value is not None}


def test_tool_calls_come_in_pieces_and_side_by_side() -> None:
    stream = events(
        delta(content=None, tool_calls=[call(0, id="call_a", name="weather", arguments="")]),
        delta(tool_calls=[call(0, arguments='{"city":')]),
        delta(tool_calls=[call(1, id="call_b", name="time", arguments="{}"), call(0, arguments=' "Oslo"}')]),
        delta(finish="tool_calls"),
    )
    calls = orjson.loads(outcome(Api.OPENAI, stream + DONE).text or "")
    assert [(one["id"], one["type"], one["function"]) for one in calls] == [
        ("call_a", "function", {"name": "weather", "arguments": '{"city": "Oslo"}'}),
        ("call_b", "function", {"name": "time", "arguments": "{}"}),
    ]


def test_tool_calls_without_an_index_are_told_apart_by_their_ids() -> None:
    stream = events(
        delta(tool_calls=[call(None, id="a", name="one", arguments="{}")]),
        delta(tool_calls=[call(None, id="b", name="two", arguments="{")]),
        delta(tool_calls=[call(None, arguments="}")]),
        delta(finish="tool_calls"),
    )
    calls = orjson.loads(outcome(Api.OPENAI, stream + DONE).text or "")
    assert [one["function"] for one in calls] == [{"name": n, "arguments": "{}"} for n in ("one", "two")]


def test_an_anthropic_tool_call_is_read_from_its_pieces() -> None:
    def event(kind: str, **fields: Any) -> bytes:
        return b"data: " + orjson.dumps({"type": kind, **fields}) + b"\n\n"

    block = {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {}}
    pieces = ['{"city"', ': "Os', 'lo"}']
    deltas = [{"type": "input_json_delta", "partial_json": piece} for piece in pieces]
    stream = b"".join(
        [
            event("message_start", message={"role": "assistant", "content": []}),
            event("content_block_start", index=0, content_block=block),
            *(event("content_block_delta", index=0, delta=one) for one in deltas),
            event("message_delta", delta={"stop_reason": "tool_use"}, usage={"output_tokens": 9}),
            event("message_stop"),
        ]
    )
    found = outcome(Api.ANTHROPIC, stream)
    assert orjson.loads(found.text or "") == [{**block, "input": {"city": "Oslo"}}]


ERRORS = [
    (
        Api.OPENAI,
        events(delta(content="so")) + b'data: {"error":{"message":"The server is overloaded","code":503}}\n\n' + DONE,
        OutcomeClass.OVERLOADED,
    ),
    (Api.OPENAI, b'event: error\ndata: {"message":"Rate limit reached","code":429}\n\n', OutcomeClass.RATE_LIMITED),
    (Api.OPENAI, b"event: error\ndata: upstream went away\n\n", OutcomeClass.SERVER_ERROR),
    (
        Api.OPENAI,
        b'data: {"object":"error","message":"This model\'s maximum context length is 10 tokens","code":400}\n\n',
        OutcomeClass.CONTEXT_LENGTH,
    ),
    (
        Api.OPENAI,
        events({"choices": [{"index": 0, "delta": {"content": ""}, "error": {"message": "gone", "code": 502}}]}) + DONE,
        OutcomeClass.SERVER_ERROR,
    ),
    (
        Api.ANTHROPIC,
        ANTHROPIC[: ANTHROPIC.index(b"event: message_delta")]
        + b'event: error\ndata: {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}\n\n',
        OutcomeClass.OVERLOADED,
    ),
    (
        Api.OLLAMA,
        OLLAMA[: OLLAMA.index(b"\n") + 1] + b'{"error":"llama runner process has terminated: exit status 2"}\n',
        OutcomeClass.SERVER_ERROR,
    ),
    (Api.OLLAMA, b'{"error":"the input length exceeds the context length"}\n', OutcomeClass.CONTEXT_LENGTH),
]


@pytest.mark.parametrize(("api", "stream", "cls"), ERRORS)
def test_an_error_in_mid_stream_is_that_error(api: Api, stream: bytes, cls: OutcomeClass) -> None:
    found = outcome(api, stream)
    assert found.cls is cls
    assert found.message


@pytest.mark.parametrize("api", [Api.OPENAI, Api.ANTHROPIC])
def test_an_event_that_is_no_json_is_malformed(api: Api) -> None:
    assert outcome(api, b'data: {"choices": [\n\ndata: {}\n\n').cls is OutcomeClass.MALFORMED


@pytest.mark.parametrize("api", Api)
@pytest.mark.parametrize("body", [b"", b"<html><title>502 Bad Gateway</title>\n</html>", b'{"id": 1}', b"plain words"])
def test_what_is_no_stream_is_read_as_an_answer_in_one_piece(api: Api, body: bytes) -> None:
    found = outcome_unless_cut(api, body)
    if api is Api.OLLAMA and not body:
        assert found is None  # there is no last line
    else:
        assert found == provider_for(api).decode(Operation.CHAT, HttpResponse(200, {}, body))


def test_a_server_that_knows_no_streaming_is_understood() -> None:
    body = {"choices": [{"message": {"content": "all at once"}, "finish_reason": "stop"}]}
    assert outcome(Api.OPENAI, orjson.dumps(body, option=orjson.OPT_INDENT_2)).text == "all at once"


ASKS: list[tuple[Api, Operation, dict[str, Any]]] = [
    (Api.OPENAI, Operation.CHAT, {}),
    (Api.OPENAI, Operation.CHAT, {"max_tokens": 3}),
    (Api.ANTHROPIC, Operation.CHAT, {"max_tokens": 200}),
    (Api.ANTHROPIC, Operation.CHAT, {"max_tokens": 3}),
    (Api.OLLAMA, Operation.CHAT, {}),
    (Api.OLLAMA, Operation.GENERATE, {"max_tokens": 3}),
]
TOOL = {"type": "function", "function": {"name": "rate", "parameters": {"type": "object"}}}


@pytest.mark.parametrize(
    ("api", "operation", "params"),
    [*ASKS, (Api.OPENAI, Operation.CHAT, {"tools": [TOOL], "tool_choice": TOOL})],
)
async def test_a_streamed_answer_is_the_unstreamed_one(api: Api, operation: Operation, params: dict[str, Any]) -> None:
    provider = provider_for(api)
    asked = PromptRequest(operation, (Message("user", "Tell me about the sea"),), params)
    whole = provider.encode(asked, "m")
    streamed = provider.stream(whole)
    assert streamed is not None
    assert orjson.loads(streamed.body)["stream"] is True

    async def ask(body: bytes) -> list[bytes]:
        simulator = Simulator(SimulatorConfig(seed=1))
        prefix = "/v1" if api is Api.OPENAI else ""
        request = SimRequest("POST", prefix + whole.path, {"anthropic-version": "2023-06-01"}, body)
        return list((await asyncio.wait_for(simulator.handle(request), 150)).chunks)

    one = provider.decode(operation, HttpResponse(200, {}, b"".join(await ask(whole.body))))
    pieces = await ask(streamed.body)
    assert len(pieces) > 1
    assert replace(outcome(api, *pieces, operation=operation), raw=None) == replace(one, raw=None)


class WithoutOptions:
    """A transport to a server that refuses stream_options, in the words of Mistral's."""

    REFUSAL = (
        b'{"object":"error","message":{"detail":[{"type":"extra_forbidden","loc":["body","stream_options",'
        b'"include_usage"],"msg":"Extra inputs are not permitted","input":true}]},"type":"invalid_request_error"}'
    )

    def __init__(self) -> None:
        self.bodies: list[dict[str, Any]] = []

    async def send(self, request: HttpRequest) -> HttpResponse:
        self.bodies.append(orjson.loads(request.body or b""))
        if "stream_options" in self.bodies[-1]:
            return HttpResponse(422, {}, self.REFUSAL)
        assert request.assembler is not None
        request.assembler.feed(events(delta(content="bonjour"), delta(finish="stop")) + DONE)
        return HttpResponse(200, {}, request.assembler.finish())

    async def aclose(self) -> None:
        """Nothing is open."""


async def test_a_server_that_refuses_stream_options_is_asked_without_them_from_then_on() -> None:
    transport = WithoutOptions()
    client = EndpointClient(transport, Endpoint("e", Api.OPENAI, "http://e.test"), None)
    encoded = provider_for(Api.OPENAI).encode(PromptRequest(Operation.CHAT, (Message("user", "x"),)), "m")
    streamed = provider_for(Api.OPENAI).stream(encoded)
    assert streamed is not None
    bounds = Timeouts(first_byte_s=5.0, stall_s=5.0)
    wire = WireRequest(DeploymentKey("e", "m"), Api.OPENAI, Operation.CHAT, streamed.path, streamed.body, bounds)
    assert [(await client.send(wire)).text for _ in range(3)] == ["bonjour"] * 3
    assert ["stream_options" in body for body in transport.bodies] == [True, False, False, False]
    assert all(body["stream"] is True for body in transport.bodies)


@pytest.mark.parametrize("api", [Api.OPENAI, Api.OLLAMA])
def test_embeddings_are_not_streamed(api: Api) -> None:
    provider = provider_for(api)
    encoded = provider.encode(PromptRequest(Operation.EMBED, (Message("user", "x"),)), "m")
    assert provider.stream(encoded) is None


def test_a_schema_keeps_its_order_when_streamed() -> None:
    schema = {"type": "object", "properties": {"z": {"type": "string"}, "a": {"type": "string"}}}
    provider = provider_for(Api.OPENAI)
    encoded = provider.encode(PromptRequest(Operation.CHAT, (Message("user", "x"),), schema=schema), "m")
    streamed = provider.stream(encoded)
    assert streamed is not None
    assert streamed.body.index(b'"z"') < streamed.body.index(b'"a"')

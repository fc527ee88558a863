"""The core: what each wire format answers, refuses and counts."""

from __future__ import annotations

import asyncio
import base64
import json
import struct
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tui_batch.simulator import core
from tui_batch.simulator.config import Profile, SimulatorConfig, UnknownModels
from tui_batch.simulator.core import Simulator
from tui_batch.simulator.faults import parse_faults
from tui_batch.simulator.latency import Latency
from tui_batch.simulator.openai_wire import go_duration
from tui_batch.simulator.wire import Delivery, SimRequest, SimResponse

VERSION = {"anthropic-version": "2023-06-01"}
USER = [{"role": "user", "content": "Tell me about the sea"}]
WORK = {
    "/v1/chat/completions": {"model": "gpt-4o-mini", "messages": USER},
    "/v1/messages": {"model": "claude-haiku-4-5", "max_tokens": 100, "messages": USER},
    "/api/chat": {"model": "llama3.2:3b", "messages": USER, "stream": False},
}


def body(response: SimResponse) -> Any:
    return json.loads(response.body)


def with_faults(text: str, **fields: Any) -> Simulator:
    return Simulator(SimulatorConfig(faults=parse_faults(text), **fields))


async def test_every_format_answers_with_text_and_usage(post: Any) -> None:
    simulator = Simulator()
    openai, anthropic, ollama = [body(await post(simulator, path, ask, VERSION)) for path, ask in WORK.items()]
    assert openai["choices"][0]["message"]["content"]
    assert openai["choices"][0]["finish_reason"] == "stop"
    assert openai["usage"]["total_tokens"] == openai["usage"]["prompt_tokens"] + openai["usage"]["completion_tokens"]
    assert anthropic["content"][0]["text"]
    assert anthropic["stop_reason"] == "end_turn"
    assert ollama["message"]["content"]
    assert (ollama["done"], ollama["done_reason"]) == (True, "stop")
    assert ollama["eval_count"] > 0
    assert simulator.score.answered == 3


async def test_the_same_question_gets_the_same_answer_from_two_simulators(chat: Any) -> None:
    one, other = [body(await chat(Simulator(SimulatorConfig(seed=4)))) for _ in range(2)]
    assert one["choices"] == other["choices"]
    assert one["id"] == other["id"]


async def test_max_tokens_cuts_the_answer(chat: Any, post: Any) -> None:
    simulator = Simulator()
    cut = body(await chat(simulator, max_tokens=3))
    assert cut["choices"][0]["finish_reason"] == "length"
    assert cut["usage"]["completion_tokens"] == 3
    ollama = {**WORK["/api/chat"], "options": {"num_predict": 3}}
    assert body(await post(simulator, "/api/chat", ollama))["done_reason"] == "length"
    anthropic = {**WORK["/v1/messages"], "max_tokens": 3}
    assert body(await post(simulator, "/v1/messages", anthropic, VERSION))["stop_reason"] == "max_tokens"


@pytest.mark.parametrize(
    ("path", "change", "words"),
    [
        ("/v1/chat/completions", {"model": ""}, "model"),
        ("/v1/chat/completions", {"messages": []}, "messages"),
        ("/v1/chat/completions", {"messages": [{"role": "robot", "content": "x"}]}, "robot"),
        ("/v1/chat/completions", {"temperature": 3}, "temperature"),
        ("/v1/chat/completions", {"max_tokens": 0}, "max_tokens"),
        ("/v1/chat/completions", {"response_format": {"type": "json_object"}}, "json"),
        ("/v1/chat/completions", {"response_format": {"type": "json_schema", "json_schema": {"schema": {}}}}, "name"),
        ("/v1/messages", {"max_tokens": None}, "max_tokens"),
        ("/v1/messages", {"messages": [{"role": "system", "content": "x"}]}, "system"),
        ("/api/chat", {"format": "yaml"}, "yaml"),
        ("/api/chat", {"options": [1]}, "options"),
    ],
)
async def test_bad_requests_are_refused_with_the_field_named(
    post: Any, path: str, change: dict[str, Any], words: str
) -> None:
    response = await post(Simulator(), path, {**WORK[path], **change}, VERSION)
    assert response.status == 400
    assert words in json.dumps(body(response))


async def test_a_strict_schema_must_be_closed(chat: Any) -> None:
    open_schema = {"type": "object", "properties": {"a": {"type": "string"}}}
    wanted = {"type": "json_schema", "json_schema": {"name": "x", "strict": True, "schema": open_schema}}
    refused = await chat(Simulator(), response_format=wanted)
    assert refused.status == 400
    assert "additionalProperties" in body(refused)["error"]["message"]
    open_schema |= {"additionalProperties": False, "required": ["a"]}
    answered = body(await chat(Simulator(), response_format=wanted))
    assert set(json.loads(answered["choices"][0]["message"]["content"])) == {"a"}


async def test_forced_tools_are_called(post: Any, chat: Any) -> None:
    schema = {"type": "object", "properties": {"colour": {"enum": ["red", "blue"]}}}
    tool = {"name": "paint", "input_schema": schema}
    choice = {"type": "tool", "name": "paint"}
    ask = {**WORK["/v1/messages"], "tools": [tool], "tool_choice": choice}
    block = body(await post(Simulator(), "/v1/messages", ask, VERSION))["content"][0]
    assert (block["type"], block["name"]) == ("tool_use", "paint")
    assert block["input"]["colour"] in {"red", "blue"}
    function = {"type": "function", "function": {"name": "paint", "parameters": schema}}
    chosen = {"type": "function", "function": {"name": "paint"}}
    message = body(await chat(Simulator(), tools=[function], tool_choice=chosen))["choices"][0]["message"]
    assert json.loads(message["tool_calls"][0]["function"]["arguments"])["colour"] in {"red", "blue"}


async def test_limits_are_enforced_and_told_in_headers(chat: Any, turned: Any) -> None:
    simulator = Simulator(SimulatorConfig(rpm=2, tpm=100_000), turned.clock())
    first = dict((await chat(simulator, "one")).headers)
    assert first["x-ratelimit-limit-requests"] == "2"
    assert first["x-ratelimit-remaining-requests"] == "1"
    assert first["x-ratelimit-reset-requests"] == "1m0s"
    turned.time += 10
    await chat(simulator, "two")
    refused = await chat(simulator, "three")
    assert refused.status == 429
    assert body(refused)["error"]["code"] == "rate_limit_exceeded"
    assert dict(refused.headers)["retry-after-ms"] == "50000"
    assert dict(refused.headers)["retry-after"] == "50"
    turned.time += 50
    assert (await chat(simulator, "three")).status == 200
    assert simulator.score.as_json()["max_requests_60s"] == 2
    assert (simulator.score.accepted, simulator.score.refused) == (3, 1)


async def test_limits_hold_for_each_model_by_itself(chat: Any) -> None:
    simulator = Simulator(SimulatorConfig(rpm=1))
    assert [(await chat(simulator, model=model)).status for model in ("a", "b", "a")] == [200, 200, 429]


async def test_models_beyond_a_bound_share_their_limits_and_figures(chat: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(core, "MOST_MODELS", 2)
    simulator = Simulator(SimulatorConfig(rpm=1))
    names = ("a", "b", "c", "d", "x" * 300, "a")
    assert [(await chat(simulator, model=name)).status for name in names] == [200, 200, 200, 429, 429, 429]
    assert set(simulator.score.as_json()["models"]) == {"a", "b", core.OTHERS}


async def test_tokens_count_in_and_out(chat: Any, turned: Any) -> None:
    simulator = Simulator(SimulatorConfig(tpm=200), turned.clock())
    used = body(await chat(simulator, max_tokens=20))["usage"]["total_tokens"]
    statuses = [(await chat(simulator, max_tokens=20)).status for _ in range(200 // used + 1)]
    assert statuses == [200] * (200 // used - 1) + [429] * 2
    too_large = await chat(simulator, "word " * 400)
    assert too_large.status == 429
    assert body(too_large)["error"]["type"] == "tokens"
    assert "retry-after" not in dict(too_large.headers)
    assert simulator.score.as_json()["max_tokens_60s"] <= 200


async def test_anthropic_limits_look_as_documented(post: Any, turned: Any) -> None:
    simulator = Simulator(SimulatorConfig(rpm=1), turned.clock())
    headers = dict((await post(simulator, "/v1/messages", WORK["/v1/messages"], VERSION)).headers)
    assert headers["anthropic-ratelimit-requests-remaining"] == "0"
    assert headers["anthropic-ratelimit-requests-reset"].endswith("Z")
    refused = await post(simulator, "/v1/messages", WORK["/v1/messages"], VERSION)
    assert refused.status == 429
    assert body(refused)["error"]["type"] == "rate_limit_error"
    assert body(refused)["request_id"].startswith("req_")
    assert dict(refused.headers)["retry-after"] == "60"


async def test_slots_bound_the_work_and_a_full_queue_says_busy(post: Any, turned: Any) -> None:
    config = SimulatorConfig(latency=Latency(first_token_s=1.0), slots=2, queue_length=3)
    simulator = Simulator(config, turned.clock())
    asks = [{**WORK["/api/chat"], "messages": [{"role": "user", "content": f"number {n}"}]} for n in range(7)]
    started = turned.time
    responses = await turned.run(*(post(simulator, "/api/chat", ask) for ask in asks))
    assert [response.status for response in responses] == [200] * 5 + [503] * 2
    assert body(responses[-1])["error"] == "server busy, please try again.  maximum pending requests exceeded"
    assert turned.time - started == pytest.approx(3.0)
    assert (simulator.slots.most_busy, simulator.slots.most_waiting) == (2, 3)


async def test_a_client_that_leaves_frees_its_slot(chat: Any, turned: Any) -> None:
    simulator = Simulator(SimulatorConfig(latency=Latency(first_token_s=9.0), slots=1), turned.clock())
    gone = asyncio.create_task(chat(simulator, "gone"))
    await asyncio.sleep(0)
    gone.cancel()
    await asyncio.gather(gone, return_exceptions=True)
    assert simulator.slots.busy == 0
    assert simulator.score.abandoned == 1


async def test_latency_depends_on_the_content_and_not_on_the_order(chat: Any, turned: Any) -> None:
    config = SimulatorConfig.for_profile(Profile.HOSTED)

    async def took(prompts: list[str]) -> dict[str, float]:
        simulator, times = Simulator(config, turned.clock()), dict[str, float]()
        for prompt in prompts:
            started = turned.time
            await turned.run(chat(simulator, prompt))
            times[prompt] = round(turned.time - started, 6)
        return times

    prompts = [f"prompt {number}" for number in range(6)]
    forward = await took(prompts)
    assert forward == await took(prompts[::-1])
    assert len(set(forward.values())) > 1
    assert all(0.1 < seconds < 5 for seconds in forward.values())


def test_jitter_spreads_equal_requests_around_the_median() -> None:
    latency = Latency(first_token_s=1.0, per_output_token_s=0.1, sigma=0.3)
    times = sorted(latency.total_s(5, 10, 0, key, 1) for key in range(501))
    assert times[250] == pytest.approx(2.0, rel=0.1)
    assert times[25] < 1.5
    assert times[-25] > 2.6
    assert latency.total_s(5, 10, 0, 7, 1) != latency.total_s(5, 10, 0, 7, 2)


async def test_too_long_prompts_are_refused_or_silently_cut(chat: Any, post: Any) -> None:
    simulator = Simulator(SimulatorConfig(context_window=50))
    refused = await chat(simulator, "word " * 100)
    assert refused.status == 400
    assert body(refused)["error"]["code"] == "context_length_exceeded"
    long = {**WORK["/v1/messages"], "messages": [{"role": "user", "content": "word " * 100}]}
    assert "prompt is too long" in body(await post(simulator, "/v1/messages", long, VERSION))["error"]["message"]
    ollama = {**WORK["/api/chat"], "messages": long["messages"], "options": {"num_ctx": 40}}
    cut = await post(Simulator(), "/api/chat", ollama)
    assert (cut.status, body(cut)["prompt_eval_count"]) == (200, 40)
    refused = await post(Simulator(), "/api/chat", {**ollama, "truncate": False})
    assert (refused.status, body(refused)["error"]) == (400, "the input length exceeds the context length")


@pytest.mark.parametrize(
    ("fault", "statuses"),
    [
        ("429", (429, 429, 429)),
        ("500", (500, 500, 500)),
        ("503", (503, 503, 503)),
        ("529", (529, 529, 529)),
        ("quota", (429, 400, 402)),
        ("auth", (401, 401, 401)),
        ("html", (502, 502, 502)),
    ],
)
async def test_faults_wear_each_formats_status(post: Any, fault: str, statuses: tuple[int, ...]) -> None:
    simulator = with_faults(f"{fault}=1")
    found = [(await post(simulator, path, ask, VERSION)).status for path, ask in WORK.items()]
    assert tuple(found) == statuses
    assert simulator.score.faults == {fault: 3}
    assert simulator.score.answered == 0


async def test_quota_is_told_apart_from_rate_limits(chat: Any, post: Any) -> None:
    simulator = with_faults("quota=1")
    assert body(await chat(simulator))["error"]["code"] == "insufficient_quota"
    anthropic = body(await post(simulator, "/v1/messages", WORK["/v1/messages"], VERSION))
    assert "credit balance is too low" in anthropic["error"]["message"]


async def test_spoiled_deliveries(chat: Any) -> None:
    assert (await chat(with_faults("empty=1"))).body == b""
    malformed = await chat(with_faults("malformed=1"))
    assert malformed.status == 200
    with pytest.raises(json.JSONDecodeError):
        body(malformed)
    deliveries = [(await chat(with_faults(f"{name}=1"))).delivery for name in ("reset", "hang", "slow")]
    assert deliveries == [Delivery.RESET, Delivery.HANG, Delivery.DRIBBLE]


async def test_truncation_and_filter_finish_as_such(chat: Any, post: Any) -> None:
    assert body(await chat(with_faults("truncation=1")))["choices"][0]["finish_reason"] == "length"
    simulator = with_faults("filter=1")
    choices = [body(await chat(simulator, f"prompt {n}"))["choices"][0] for n in range(12)]
    kinds = {(choice["finish_reason"], bool(choice["message"]["refusal"])) for choice in choices}
    assert kinds == {("content_filter", False), ("stop", True)}
    refused = body(await post(simulator, "/v1/messages", WORK["/v1/messages"], VERSION))
    assert (refused["stop_reason"], refused["content"]) == ("refusal", [])


async def test_a_failed_request_succeeds_when_asked_again(chat: Any) -> None:
    simulator = with_faults("500=0.3,reset=0.2")
    for number in range(30):
        for _ in range(15):
            response = await chat(simulator, f"prompt {number}")
            if response.status == 200 and response.delivery is Delivery.WHOLE:
                break
        else:
            pytest.fail(f"prompt {number} never got through")
    score = simulator.score.as_json()
    assert score["answered"] == 30
    assert score["answered_twice"] == 0
    assert score["repeated_prompts"] > 5


async def test_a_wrong_key_is_refused_and_never_shown(chat: Any, post: Any) -> None:
    config = SimulatorConfig(api_key="sk-secret")
    simulator = Simulator(config)
    refused = await chat(simulator)
    assert refused.status == 401
    assert "sk-secret" not in repr(config) + refused.body.decode()
    headers = {"authorization": "Bearer sk-secret"}
    assert (await post(simulator, "/v1/chat/completions", WORK["/v1/chat/completions"], headers)).status == 200
    headers = {"x-api-key": "sk-secret", **VERSION}
    assert (await post(simulator, "/v1/messages", WORK["/v1/messages"], headers)).status == 200


async def test_unknown_models_are_refused_when_told_so(post: Any) -> None:
    simulator = Simulator(SimulatorConfig(unknown_models=UnknownModels.REFUSE))
    for path, ask in WORK.items():
        response = await post(simulator, path, {**ask, "model": "no-such-model"}, VERSION)
        assert response.status == 404
        assert "no-such-model" in response.body.decode()


async def test_embeddings_in_both_encodings_and_any_length(post: Any) -> None:
    ask = {"model": "text-embedding-3-small", "input": ["a cat", "a dog"], "dimensions": 8}
    plain = body(await post(Simulator(), "/v1/embeddings", ask))["data"]
    coded = body(await post(Simulator(), "/v1/embeddings", {**ask, "encoding_format": "base64"}))["data"]
    assert [entry["index"] for entry in plain] == [0, 1]
    for one, other in zip(plain, coded, strict=True):
        assert struct.unpack("<8f", base64.b64decode(other["embedding"])) == pytest.approx(one["embedding"], abs=1e-6)
    assert (await post(Simulator(), "/v1/embeddings", {**ask, "input": ["a", ""]})).status == 400
    ollama = {"model": "nomic-embed-text", "input": "a cat"}
    assert len(body(await post(Simulator(), "/api/embed", ollama))["embeddings"][0]) == 768


async def test_streams_add_up_to_the_whole_answer(chat: Any, post: Any) -> None:
    whole = body(await chat(Simulator()))["choices"][0]["message"]["content"]
    stream = await chat(Simulator(), stream=True, stream_options={"include_usage": True})
    events = [event.removeprefix("data: ") for event in stream.body.decode().split("\n\n") if event]
    assert events.pop() == "[DONE]"
    chunks = [json.loads(event) for event in events]
    assert chunks[-1]["usage"]["completion_tokens"] > 0
    text = "".join(chunk["choices"][0]["delta"].get("content") or "" for chunk in chunks[:-1])
    assert text == whole
    generate = {"model": "llama3.2:3b", "prompt": "Tell me about the sea"}
    lines = [json.loads(line) for line in (await post(Simulator(), "/api/generate", generate)).body.splitlines()]
    one = body(await post(Simulator(), "/api/generate", {**generate, "stream": False}))
    assert "".join(line["response"] for line in lines) == one["response"]
    assert [line["done"] for line in lines] == [False] * (len(lines) - 1) + [True]


async def test_listings_have_each_formats_shape() -> None:
    simulator = Simulator(SimulatorConfig(rpm=1))

    async def get(path: str, headers: dict[str, str] | None = None) -> Any:
        return body(await simulator.handle(SimRequest("GET", path, headers or {})))

    assert {"id", "object", "created", "owned_by"} <= (await get("/v1/models"))["data"][0].keys()
    assert (await get("/v1/models?limit=5", VERSION))["data"][0]["type"] == "model"
    assert "llama3.2:3b" in [model["name"] for model in (await get("/api/tags"))["models"]]
    assert (await get("/api/version"))["version"]
    assert (await get("/nowhere"))["error"]
    assert (await get("/_sim/score"))["seen"] == 0


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 2000) | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)
FIELD_NAMES = (
    "model messages max_tokens stream temperature n response_format tools tool_choice input prompt system options "
    "format dimensions stream_options output_config truncate encoding_format"
)


@given(path=st.sampled_from([*WORK, "/v1/embeddings", "/api/embed", "/api/generate", "/api/show"]), data=st.data())
@settings(deadline=None, max_examples=70)
def test_whatever_comes_in_gets_an_answer(path: str, data: st.DataObject) -> None:
    base = WORK.get(path, {"model": "m", "input": "x", "prompt": "x"})
    changes = data.draw(st.dictionaries(st.sampled_from(FIELD_NAMES.split()), JSON, max_size=3))
    schema = data.draw(st.none() | st.dictionaries(st.sampled_from(["type", "properties", "enum", "items"]), JSON))
    if schema is not None and path == "/api/chat":
        changes["format"] = schema
    raw = data.draw(st.just(json.dumps({**base, **changes}).encode()) | st.binary(max_size=20))
    response = asyncio.run(Simulator().handle(SimRequest("POST", path, VERSION, raw)))
    assert response.status in {200, 400, 404}


STRICT = {"name": "a", "strict": True, "schema": {"type": "object", "additionalProperties": False}}


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("/v1/messages", {"tool_choice": {"type": "tool"}, "tools": [{}]}),
        ("/v1/messages", {"tool_choice": {"type": "tool", "name": []}, "tools": [{"name": []}]}),
        ("/v1/chat/completions", {"response_format": {"type": "json_schema", "json_schema": {
            **STRICT, "schema": {**STRICT["schema"], "properties": {"a": {}}, "required": 5}}}}),
    ],
)  # fmt: skip
async def test_a_request_that_a_strict_server_refuses_is_refused(path: str, fields: Any, post: Any) -> None:
    response = await post(Simulator(), path, {**WORK[path], **fields})
    assert response.status == 400


@pytest.mark.parametrize("tag", ["²b", "9" * 190 + "b", "1.2.3b", "b", "8x7b", ""])
async def test_a_model_of_any_name_is_listed_as_loaded(tag: str, post: Any) -> None:
    simulator = Simulator()
    assert (await post(simulator, "/api/generate", {"model": f"x:{tag}", "prompt": "x"})).status == 200
    loaded = body(await simulator.handle(SimRequest("GET", "/api/ps")))["models"]
    assert [model["name"] for model in loaded] == [f"x:{tag}"]


@pytest.mark.parametrize("prompt", ["\n" * 20_000 + "x", " one of " * 2_500, "json {" + ":" * 20_000])
async def test_a_prompt_made_to_be_slow_takes_no_time(prompt: str, chat: Any) -> None:
    """The app runs the simulator on its own loop: blank lines by the thousand held it up for half a minute."""
    response = await chat(Simulator(), messages=[{"role": "user", "content": prompt}])
    assert response.status == 200


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0ms"), (0.0121, "13ms"), (1, "1s"), (6.5, "6.5s"), (360, "6m0s"), (3661.2, "1h1m1.2s")],
)
def test_durations_as_go_writes_them(seconds: float, text: str) -> None:
    assert go_duration(seconds) == text

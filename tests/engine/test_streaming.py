"""Streaming is how an answer travels, not what is asked: same cache, same outcome, tighter bounds."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from engine_bench import ENDPOINT, make_spec

from tui_batch.domain.endpoint import Api, Endpoint, Operation
from tui_batch.domain.item import PendingItem
from tui_batch.engine.prepare import Preparer
from tui_batch.engine.queue import Call
from tui_batch.inputs.templates import compile_prompt
from tui_batch.money.tokens import TokenEstimator
from tui_batch.providers.registry import provider_for
from tui_batch.store.codec import dump_spec, load_spec

LOCAL = Endpoint("one", Api.OLLAMA, "http://one.test")


def call_of(prompt: str = "hello", **changes: Any) -> Call:
    spec = make_spec(**changes)
    preparer = Preparer(spec, compile_prompt(spec), TokenEstimator(), provider_for)
    item = PendingItem(1, 0, 0, None, 0, 0, 0, 0.0, orjson.dumps({"prompt": prompt}))
    (ready,), _ = preparer.prepare([item])
    return ready.calls[0]


@pytest.mark.parametrize("endpoint", [ENDPOINT, LOCAL])
def test_a_streamed_request_asks_the_same_and_finds_the_same_in_the_cache(endpoint: Endpoint) -> None:
    plain, streamed = (call_of(stream=stream, endpoints=(endpoint,)) for stream in (False, True))
    assert streamed.cache_key == plain.cache_key
    asked, in_pieces = orjson.loads(plain.wire.body), orjson.loads(streamed.wire.body)
    assert in_pieces.pop("stream") is True
    if endpoint.api is Api.OPENAI:
        assert in_pieces.pop("stream_options") == {"include_usage": True}
    assert in_pieces == {name: value for name, value in asked.items() if name != "stream"}


def test_only_a_streamed_request_has_bounds_on_silence() -> None:
    assert call_of().wire.timeouts.stall_s is None
    assert call_of().wire.timeouts.first_byte_s is None
    bounds = call_of(stream=True, stall_s=7.0).wire.timeouts
    assert bounds.stall_s == 7.0
    assert bounds.total_s == call_of().wire.timeouts.total_s


def test_a_long_prompt_may_take_long_before_the_first_byte_but_not_between_pieces() -> None:
    spec = {"stream": True, "first_byte_s": 10.0, "timeout_per_1k_tokens_s": 4.0}
    short, long = call_of("x", **spec).wire.timeouts, call_of("word " * 8_000, **spec).wire.timeouts
    assert short.first_byte_s == pytest.approx(10.0, abs=0.1)
    assert long.first_byte_s is not None
    assert 40.0 < long.first_byte_s < 60.0  # about 10,000 tokens
    assert long.stall_s == short.stall_s == 30.0


def test_embeddings_come_in_one_piece_whatever_the_job_says() -> None:
    wire = call_of(stream=True, operation=Operation.EMBED).wire
    assert b"stream" not in wire.body
    assert wire.timeouts.stall_s is None


def test_a_stored_job_streams_when_it_is_resumed() -> None:
    spec = make_spec(stream=True, first_byte_s=5.0, stall_s=2.0)
    assert load_spec(dump_spec(spec)) == spec

"""Streams of the simulator come as their words are written, and can stall."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from tui_batch.domain.endpoint import Api, DeploymentKey, Endpoint, Operation
from tui_batch.domain.outcome import OutcomeClass
from tui_batch.domain.request import Message, PromptRequest, Timeouts, WireRequest
from tui_batch.providers.base import HttpRequest, TransportTimeout
from tui_batch.providers.client import EndpointClient
from tui_batch.providers.http import PyreqwestTransport
from tui_batch.providers.network import ProxyUse, TransportOptions
from tui_batch.providers.openai_stream import ChatAssembler
from tui_batch.providers.registry import provider_for
from tui_batch.simulator.config import Pieces, Profile, SimulatorConfig
from tui_batch.simulator.core import Simulator
from tui_batch.simulator.faults import parse_faults
from tui_batch.simulator.latency import Latency
from tui_batch.simulator.server import serve
from tui_batch.simulator.transport import SimulatorTransport

LATENCY = Latency(first_token_s=2.0, per_output_token_s=0.1)
BODY = {"model": "m", "messages": [{"role": "user", "content": "Tell me about the sea"}], "stream": True}


def request(stall_s: float = 5.0, first_byte_s: float = 5.0, **fields: Any) -> HttpRequest:
    timeouts = Timeouts(total_s=100.0, first_byte_s=first_byte_s, stall_s=stall_s)
    body = json.dumps({**BODY, **fields}).encode()
    return HttpRequest("POST", "https://x.test/v1/chat/completions", (), body, timeouts, ChatAssembler())


def simulator(turned: Any, **fields: Any) -> Simulator:
    return Simulator(SimulatorConfig(pieces=Pieces.PACED, latency=LATENCY, **fields), turned.clock())


async def test_a_paced_stream_takes_as_long_as_the_whole_answer_and_says_the_same(turned: Any) -> None:
    transport = SimulatorTransport(simulator(turned))
    (streamed,) = await turned.run(transport.send(request()))
    took = turned.time - 1000.0
    whole = HttpRequest("POST", "https://x.test/v1/chat/completions", (), request(stream=False).body, Timeouts())
    (unstreamed,) = await turned.run(transport.send(whole))
    assert turned.time - 1000.0 == pytest.approx(2 * took)
    messages = [json.loads(one.body)["choices"][0]["message"]["content"] for one in (streamed, unstreamed)]
    assert messages[0] == messages[1]


async def test_the_first_piece_comes_when_the_prompt_is_read_and_the_slot_is_taken_to_the_last(turned: Any) -> None:
    sim = simulator(turned, slots=1)
    from tui_batch.simulator.wire import SimRequest

    ask = SimRequest("POST", "/v1/chat/completions", {}, json.dumps(BODY).encode())
    (response,) = await turned.run(sim.handle(ask))
    assert turned.time - 1000.0 == pytest.approx(2.0)
    assert response.pace_s > 0
    assert sim.slots.busy == 1
    response.done()
    assert sim.slots.busy == 0


async def test_a_stall_in_memory_ends_at_the_bound_on_silence(turned: Any) -> None:
    transport = SimulatorTransport(simulator(turned, faults=parse_faults("stall=1"), slots=1))
    with pytest.raises(TransportTimeout):
        await turned.run(transport.send(request(stall_s=3.0)))
    assert turned.time - 1000.0 == pytest.approx(5.0)  # 2 s to the first token, 3 s of silence, of 100 s in all


@pytest.mark.parametrize(("bounds", "after"), [({"first_byte_s": 1.5}, 2.0), ({"stall_s": 0.05}, 2.05)])
async def test_in_memory_too_slow_a_beginning_and_too_slow_pieces_are_given_up(
    turned: Any, bounds: dict[str, float], after: float
) -> None:
    sim = simulator(turned, slots=1)
    with pytest.raises(TransportTimeout):
        await turned.run(SimulatorTransport(sim).send(request(**bounds)))
    assert turned.time - 1000.0 == pytest.approx(after)
    assert sim.slots.busy == 0


@pytest.mark.parametrize("api", Api)
async def test_over_a_real_connection_a_stall_is_noticed_long_before_the_whole_time_and_its_slot_is_free(
    api: Api,
) -> None:
    provider = provider_for(api)
    encoded = provider.stream(
        provider.encode(PromptRequest(Operation.CHAT, (Message("user", "Tell me about the sea"),)), "m")
    )
    assert encoded is not None
    timeouts = Timeouts(total_s=50.0, first_byte_s=5.0, stall_s=0.3)
    wire = WireRequest(DeploymentKey("s", "m"), api, Operation.CHAT, encoded.path, encoded.body, timeouts)
    config = SimulatorConfig(faults=parse_faults("stall=1"), pieces=Pieces.PACED, slots=1, latency=Latency(0.01, 0, 1))
    transport = PyreqwestTransport(TransportOptions(proxies=ProxyUse.DIRECT), {})
    async with serve(config) as server:
        url = server.openai_url if api is Api.OPENAI else server.base_url
        outcome = await EndpointClient(transport, Endpoint("s", api, url), None).send(wire)
        assert outcome.cls is OutcomeClass.TIMEOUT
        assert 0.3 <= outcome.latency_s < timeouts.total_s
        async with asyncio.timeout(150):
            while server.simulator.slots.busy:
                await asyncio.sleep(0.005)
    await transport.aclose()


@pytest.mark.parametrize("api", Api)
async def test_over_a_real_connection_pieces_come_over_time(api: Api) -> None:
    provider = provider_for(api)
    plain = provider.encode(PromptRequest(Operation.CHAT, (Message("user", "Tell me about the sea"),)), "m")
    encoded = provider.stream(plain)
    assert encoded is not None
    timeouts = Timeouts(total_s=50.0, first_byte_s=20.0, stall_s=20.0)
    config = SimulatorConfig(pieces=Pieces.PACED, slots=1, latency=Latency(0.05, 0, 0.004))
    transport = PyreqwestTransport(TransportOptions(proxies=ProxyUse.DIRECT), {})
    async with serve(config) as server:
        url = server.openai_url if api is Api.OPENAI else server.base_url
        client = EndpointClient(transport, Endpoint("s", api, url), None)
        wires = [
            WireRequest(DeploymentKey("s", "m"), api, Operation.CHAT, one.path, one.body, bounds)
            for one, bounds in ((encoded, timeouts), (plain, Timeouts()))
        ]
        streamed, whole = [await client.send(wire) for wire in wires]
        assert server.simulator.slots.busy == 0
    assert (streamed.cls, streamed.text, streamed.usage) == (OutcomeClass.OK, whole.text, whole.usage)
    assert streamed.latency_s > 0.9 * (0.05 + 0.004 * (whole.usage.output_tokens or 0))
    await transport.aclose()


async def test_an_unstreamed_stall_ends_in_half_an_answer(turned: Any) -> None:
    config = SimulatorConfig(faults=parse_faults("stall=1"), hang_s=0.05)
    transport = PyreqwestTransport(TransportOptions(proxies=ProxyUse.DIRECT), {})
    async with serve(config) as server:
        wire = WireRequest(
            DeploymentKey("s", "m"),
            Api.OPENAI,
            Operation.CHAT,
            "/chat/completions",
            json.dumps({**BODY, "stream": False}).encode(),
        )
        outcome = await EndpointClient(transport, Endpoint("s", Api.OPENAI, server.openai_url), None).send(wire)
    assert outcome.cls is OutcomeClass.CONNECTION
    await transport.aclose()


def test_profiles_with_latency_write_their_streams_over_time() -> None:
    assert SimulatorConfig.for_profile(Profile.HOSTED).pieces is Pieces.PACED
    assert SimulatorConfig().pieces is Pieces.AT_ONCE

"""The simulator as a transport: the same answers without a network."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tui_batch.domain.request import Timeouts
from tui_batch.providers.base import FailureKind, HttpRequest, TransportFailure, TransportTimeout
from tui_batch.simulator.config import SimulatorConfig
from tui_batch.simulator.core import Simulator
from tui_batch.simulator.faults import parse_faults
from tui_batch.simulator.latency import Latency
from tui_batch.simulator.transport import SimulatorTransport

BODY = json.dumps({"model": "m", "messages": [{"role": "user", "content": "Tell me about the sea"}]}).encode()


def request(**fields: Any) -> HttpRequest:
    url = "https://api.openai.com/v1/chat/completions"
    given = {"headers": (("Authorization", "Bearer k"),), "body": BODY, "timeouts": Timeouts(total_s=20.0), **fields}
    return HttpRequest(method="POST", url=url, **given)


def transport(turned: Any, **fields: Any) -> SimulatorTransport:
    return SimulatorTransport(Simulator(SimulatorConfig(**fields), turned.clock()))


async def test_a_response_has_status_headers_and_body(turned: Any) -> None:
    response = await transport(turned, rpm=5, api_key="k").send(request())
    assert response.status == 200
    assert response.headers["x-ratelimit-remaining-requests"] == "4"
    assert json.loads(response.body)["choices"]


async def test_a_cut_connection_is_a_read_failure(turned: Any) -> None:
    with pytest.raises(TransportFailure) as caught:
        await transport(turned, faults=parse_faults("reset=1")).send(request())
    assert caught.value.kind is FailureKind.READ


@pytest.mark.parametrize(
    "fields",
    [
        {"faults": parse_faults("hang=1")},
        {"faults": parse_faults("slow=1"), "slow_body_s": 30.0},
        {"latency": Latency(first_token_s=30.0)},
    ],
)
async def test_what_takes_too_long_is_a_timeout(turned: Any, fields: dict[str, Any]) -> None:
    with pytest.raises(TransportTimeout):
        await turned.run(transport(turned, **fields).send(request()))


async def test_real_time_is_bounded_too() -> None:
    slow = SimulatorTransport(Simulator(SimulatorConfig(latency=Latency(first_token_s=3600))))
    with pytest.raises(TransportTimeout, match=r"0\.05 s"):
        await slow.send(request(timeouts=Timeouts(total_s=0.05)))

"""From a wire request to an outcome: keys, times, failures as values."""

from __future__ import annotations

import json

import pytest

from tui_batch.domain.endpoint import Api, DeploymentKey, Endpoint, Operation
from tui_batch.domain.outcome import Outcome, OutcomeClass
from tui_batch.domain.request import Timeouts, WireRequest
from tui_batch.providers.base import FailureKind, HttpRequest, HttpResponse, TransportFailure, TransportTimeout
from tui_batch.providers.client import EndpointClient

KEY = "a-very-long-secret-key"
ENDPOINT = Endpoint("home", Api.OPENAI, "http://llm.example/v1", headers=(("X-Team", "blue"), ("Accept", "text/plain")))
WIRE = WireRequest(DeploymentKey("home", "m"), Api.OPENAI, Operation.CHAT, "/chat/completions", b"{}", Timeouts(1, 5))


class Answering:
    """A transport that answers with one response or raises one error."""

    def __init__(self, answer: HttpResponse | Exception) -> None:
        self.answer = answer
        self.seen: list[HttpRequest] = []

    async def send(self, request: HttpRequest) -> HttpResponse:
        self.seen.append(request)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    async def aclose(self) -> None:
        """Nothing to close."""


def completion(text: str) -> HttpResponse:
    return HttpResponse(200, {}, json.dumps({"choices": [{"message": {"content": text}}]}).encode())


async def sent(transport: Answering, key: str) -> Outcome:
    return await EndpointClient(transport, ENDPOINT, key).send(WIRE)


async def test_the_request_carries_key_headers_and_timeouts_and_is_timed() -> None:
    transport = Answering(completion("hi"))
    ticks = iter([10.0, 12.5])
    client = EndpointClient(transport, ENDPOINT, KEY, clock=lambda: 1_700_000_000.0, timer=lambda: next(ticks))
    outcome = await client.send(WIRE)
    (request,) = transport.seen
    assert (request.method, request.url) == ("POST", "http://llm.example/v1/chat/completions")
    assert dict(request.headers) == {
        "content-type": "application/json",
        "authorization": f"Bearer {KEY}",
        "X-Team": "blue",
        "Accept": "text/plain",
    }
    assert request.timeouts == Timeouts(1, 5)
    assert (outcome.cls, outcome.text) == (OutcomeClass.OK, "hi")
    assert (outcome.started_at, outcome.latency_s) == (1_700_000_000.0, 2.5)


FAILURES = [
    (TransportTimeout("no complete answer within 5 s"), OutcomeClass.TIMEOUT),
    (TransportFailure(FailureKind.CONNECT, "refused"), OutcomeClass.CONNECTION),
    (TransportFailure(FailureKind.TLS, "refused"), OutcomeClass.CONNECTION),
    (TransportFailure(FailureKind.PROXY, "refused"), OutcomeClass.CONNECTION),
    (TransportFailure(FailureKind.READ, "reset"), OutcomeClass.CONNECTION),
    (TransportFailure(FailureKind.PROTOCOL, "not HTTP"), OutcomeClass.CONNECTION),
    (TransportFailure(FailureKind.BODY, "not gzip"), OutcomeClass.MALFORMED),
    (TransportFailure(FailureKind.TOO_LARGE, "too large"), OutcomeClass.MALFORMED),
    (TransportFailure(FailureKind.REQUEST, "bad header"), OutcomeClass.BAD_REQUEST),
]


@pytest.mark.parametrize(("error", "expected"), FAILURES)
async def test_failures_become_outcomes(error: Exception, expected: OutcomeClass) -> None:
    outcome = await sent(Answering(error), KEY)
    assert outcome.cls is expected
    assert outcome.message == str(error)
    assert outcome.status is None
    assert outcome.started_at > 0


async def test_a_gateway_that_echoes_the_key_does_not_bring_it_into_the_database() -> None:
    body = json.dumps({"error": {"message": f"bad token {KEY}"}, "headers": {"authorization": KEY}}).encode()
    outcome = await sent(Answering(HttpResponse(401, {}, body)), KEY)
    assert KEY not in repr(outcome)
    assert "bad token" in outcome.message
    echoed = await sent(Answering(completion(f"x {KEY}")), KEY)
    assert KEY not in repr(echoed)


def refused(said: str) -> HttpResponse:
    return HttpResponse(401, {}, json.dumps({"error": {"message": said, "code": said}}).encode())


BEGINNING = KEY[:10]


@pytest.mark.parametrize("before", [190, 1_985, 3_985])
async def test_no_part_of_a_key_is_left_where_its_message_is_cut(before: int) -> None:
    said = "bad token " + "x" * (before - 10)
    for answer in (refused(said + KEY), HttpResponse(200, {}, (said + KEY).encode())):
        outcome = await sent(Answering(answer), KEY)
        assert BEGINNING not in f"{outcome.message} {outcome.code}"
    outcome = await sent(Answering(TransportFailure(FailureKind.READ, said + KEY)), KEY)
    assert BEGINNING not in outcome.message


async def test_what_masks_shorten_does_not_bring_the_beginning_of_a_key_back() -> None:
    said = f"{'sk-' + 'a' * 1_000} " * 3
    outcome = await sent(Answering(refused(said + "x" * (3_980 - len(said)) + KEY)), KEY)
    assert BEGINNING not in f"{outcome.message} {outcome.code}"


async def test_a_word_that_only_begins_like_a_key_stays() -> None:
    outcome = await sent(Answering(refused("a-very-bad request for a-ver")), KEY)
    assert outcome.message == "a-very-bad request for a-ver"


@pytest.mark.parametrize("dummy", ["ollama", "test", "EMPTY", "lm-studio"])
async def test_made_up_keys_of_local_servers_do_not_eat_words_out_of_answers(dummy: str) -> None:
    text = f"Use {dummy} for this."
    outcome = await sent(Answering(completion(text)), dummy)
    assert outcome.text == text


async def test_repr_of_a_request_holds_neither_key_nor_prompt() -> None:
    transport = Answering(completion("hi"))
    await sent(transport, KEY)
    assert repr(transport.seen[0]) == "HttpRequest(POST http://llm.example/v1/chat/completions)"

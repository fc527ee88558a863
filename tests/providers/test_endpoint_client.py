"""From a wire request to an outcome: keys, times, failures as values."""

from __future__ import annotations

import base64
import html
import json
import re
import urllib.parse
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from spellings import spellings

from tui_batch.domain.endpoint import Api, DeploymentKey, Endpoint, Operation
from tui_batch.domain.outcome import Outcome, OutcomeClass
from tui_batch.domain.request import Timeouts, WireRequest
from tui_batch.providers.base import FailureKind, HttpRequest, HttpResponse, TransportFailure, TransportTimeout
from tui_batch.providers.client import EndpointClient
from tui_batch.providers.secret_forms import forms_of

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


ODD = "sk/made+up=0123456789_aB.cD~eF"
"""A key with everything that is written otherwise somewhere."""


@pytest.mark.parametrize("how", spellings(ODD))
async def test_the_key_is_found_however_an_error_writes_it(how: str) -> None:
    spelt = spellings(ODD)[how]
    for answer in (refused(f"bad <{spelt}> sent"), HttpResponse(500, {}, f"bad <{spelt}> sent".encode())):
        outcome = await sent(Answering(answer), ODD)
        assert "bad <" in outcome.message
        assert "> sent" in outcome.message
        for said in (outcome.message, outcome.code or "", (outcome.raw or b"").decode()):
            assert ODD[8:20] not in plain(said)


@pytest.mark.parametrize("how", [how for how in spellings(ODD) if not how.startswith("over lines")])
async def test_the_key_is_found_however_an_answer_writes_it(how: str) -> None:
    """In a text, in the JSON around it, and in a header."""
    spelt = spellings(ODD)[how]
    around = b'{"choices": [{"message": {"content": "hi"}}], "sent": "%s"}' % spelt.encode()
    for answer in (completion(f"x {spelt} y"), HttpResponse(200, {"x-request-id": spelt}, around)):
        outcome = await sent(Answering(answer), ODD)
        assert outcome.cls is OutcomeClass.OK
        for said in (outcome.text or "", outcome.request_id or "", (outcome.raw or b"").decode()):
            assert ODD[8:20] not in plain(said)


async def test_what_only_looks_like_escapes_stays_as_it_is() -> None:
    text = r"50% of \u0073k and %73 &#115; c2s= caf\u00e9 \/ are no key"
    assert (await sent(Answering(completion(text)), ODD)).text == text


@given(st.text(ODD, max_size=40), st.lists(st.sampled_from(range(6)), min_size=len(ODD), max_size=len(ODD)))
@settings(deadline=None, derandomize=True, max_examples=60)
def test_a_key_in_any_mixture_of_escapes_is_found(around: str, how: list[int]) -> None:
    ways = ("{0}", "\\{0}", "\\u{1:04x}", "%{1:02X}", "&#{1};", "\\\\u{1:04X}")
    mixed = "".join(ways[way].format(char, ord(char)) for char, way in zip(ODD, how, strict=True))
    forms = forms_of(ODD)
    assert ODD not in plain(forms.masked(f"{around} {mixed} {around}"))
    assert plain(forms.masked_end(f"{around} {mixed[: len(mixed) * 2 // 3]}")).count(ODD[:10]) == 0


@pytest.mark.parametrize("before", [b"", b"u", b"u:", b"Bearer ", b"u:p"])
def test_base64_leaves_no_character_of_the_key(before: bytes) -> None:
    """A group of four stands for three bytes, so its neighbour's may be masked with the key's first ones."""
    encoded = base64.b64encode(before + ODD.encode() + b"\n").decode()
    whole_groups = len(before) // 3 * 4
    left = forms_of(ODD).masked(f'sent: "{encoded}", again: {encoded}')
    assert re.fullmatch(r'sent: "[A-Za-z0-9]{0,8}\[key removed\]", again: [A-Za-z0-9]{0,8}\[key removed\]', left)
    assert max(map(len, re.findall(r"(\S*?)\[key removed", left.replace('"', "")))) <= whole_groups


def plain(text: str) -> str:
    """What a person who knows the usual encodings gets out of a text."""
    for encoded in re.findall(r"[A-Za-z0-9+/_-]{16,}", text):
        with suppress(ValueError):
            bits = base64.b64decode(encoded[: len(encoded) // 4 * 4], altchars=b"-_" if {*"-_"} & {*encoded} else None)
            text += bits.decode("latin-1")
    text = urllib.parse.unquote(urllib.parse.unquote(html.unescape(re.sub(r"\\+[rn]|\s", "", text))))
    return re.sub(r"\\+", "", re.sub(r"\\+u00([0-9a-fA-F]{2})", lambda found: chr(int(found[1], 16)), text))


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

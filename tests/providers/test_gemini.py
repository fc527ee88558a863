"""Structured output by Gemini, over its OpenAI-compatible address: what is sent, and what its answers mean.

The shapes are those of ai.google.dev/gemini-api/docs/openai and, for the refusal, of a response quoted in
github.com/googleapis/google-api-python-client, issue 2570.
"""

from __future__ import annotations

import json
from typing import Any

from tui_batch.domain.endpoint import Api, DeploymentKey, Operation
from tui_batch.domain.outcome import Outcome, OutcomeClass
from tui_batch.domain.request import Message, PromptRequest, Timeouts, WireRequest
from tui_batch.providers.base import HttpRequest, HttpResponse
from tui_batch.providers.catalog import known
from tui_batch.providers.client import EndpointClient
from tui_batch.providers.registry import provider_for

MODEL = "gemini-2.5-flash"
KEY = "AIzaSy-made-up-for-this-test"
SCHEMA = {
    "type": "object",
    "properties": {"why": {"type": "string"}, "stars": {"type": "integer", "minimum": 1, "maximum": 5}},
    "required": ["why", "stars"],
}


class Google:
    """Answers everything with one body, and remembers what it was asked."""

    def __init__(self, status: int, body: Any) -> None:
        self._answer = HttpResponse(status, {}, json.dumps(body).encode())
        self.asked: list[HttpRequest] = []

    async def send(self, request: HttpRequest) -> HttpResponse:
        self.asked.append(request)
        return self._answer

    async def aclose(self) -> None:
        """Nothing to close."""


async def asked(google: Google) -> Outcome:
    """What comes of a row of a job with a schema, on the endpoint that `--endpoint gemini` means."""
    endpoint = known("gemini", {"GEMINI_API_KEY": KEY})
    assert endpoint is not None
    request = PromptRequest(Operation.CHAT, (Message("user", "Rate it"),), {"max_tokens": 200}, SCHEMA)
    encoded = provider_for(endpoint.api).encode(request, MODEL)
    place = DeploymentKey(endpoint.name, MODEL)
    wire = WireRequest(place, Api.OPENAI, encoded.operation, encoded.path, encoded.body, Timeouts(1, 5))
    return await EndpointClient(google, endpoint, KEY).send(wire)


async def test_gemini_is_sent_the_schema_and_its_answer_is_read_with_its_thoughts() -> None:
    """The schema goes out as it was written: its order is the order in which the answer is written."""
    google = Google(
        200,
        {
            "choices": [
                {
                    "finish_reason": "stop",
                    "index": 0,
                    "message": {"content": '{"why": "kind", "stars": 5}', "role": "assistant"},
                }
            ],
            "created": 1_763_000_000,
            "id": "x",
            "model": MODEL,
            "object": "chat.completion",
            "usage": {"completion_tokens": 12, "prompt_tokens": 30, "total_tokens": 142},
        },
    )

    outcome = await asked(google)

    (sent,) = google.asked
    assert sent.url == "https://generativelanguage.googleapis.com/v1beta/openai/chat/completions"
    assert ("authorization", f"Bearer {KEY}") in sent.headers
    body = json.loads(sent.body or b"")
    assert body["model"] == MODEL
    assert body["max_tokens"] == 200
    wanted = body["response_format"]
    assert wanted == {"type": "json_schema", "json_schema": {"name": "answer", "schema": SCHEMA}}
    assert list(wanted["json_schema"]["schema"]["properties"]) == ["why", "stars"]
    assert (outcome.cls, json.loads(outcome.text or "")) == (OutcomeClass.OK, {"why": "kind", "stars": 5})
    assert (outcome.usage.input_tokens, outcome.usage.output_tokens) == (30, 112)


async def test_a_schema_that_gemini_does_not_take_is_the_requests_mistake_in_googles_words() -> None:
    """Not asked again: its error comes in a list, and says INVALID_ARGUMENT."""
    words = "Invalid JSON payload received. Unknown name \"oneOf\" at 'generation_config.response_schema'"
    refusal = [{"error": {"code": 400, "message": words, "status": "INVALID_ARGUMENT"}}]

    outcome = await asked(Google(400, refusal))

    assert outcome.cls is OutcomeClass.BAD_REQUEST
    assert outcome.message == words
    assert outcome.code == "INVALID_ARGUMENT"


async def test_an_answer_cut_by_thinking_is_truncated_and_keeps_what_it_cost() -> None:
    """With a small max_tokens Gemini spends all of it on thoughts: no content at all, finish_reason length."""
    body = {
        "choices": [{"finish_reason": "length", "index": 0, "message": {"role": "assistant"}}],
        "usage": {"completion_tokens": 0, "prompt_tokens": 30, "total_tokens": 226},
    }

    outcome = await asked(Google(200, body))

    assert (outcome.cls, outcome.text) == (OutcomeClass.TRUNCATED, "")
    assert outcome.usage.output_tokens == 196

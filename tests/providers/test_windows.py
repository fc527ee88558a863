"""Context windows by the servers' own word, and done without where they do not say."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlsplit

import pytest

from tui_batch.domain.endpoint import Api, Endpoint
from tui_batch.providers.base import FailureKind, HttpRequest, HttpResponse, TransportFailure
from tui_batch.providers.windows import ask_window

OLLAMA = Endpoint("ollama", Api.OLLAMA, "http://localhost:11434")
OPENAI = Endpoint("vllm", Api.OPENAI, "http://localhost:8000/v1")


class Server:
    """Answers by path; any other path is not found."""

    def __init__(self, **answers: Any) -> None:
        self._answers = {name.replace("_", "/"): answer for name, answer in answers.items()}

    async def send(self, request: HttpRequest) -> HttpResponse:
        answer = self._answers.get(urlsplit(request.url).path.strip("/"))
        if isinstance(answer, Exception):
            raise answer
        return HttpResponse(404 if answer is None else 200, {}, json.dumps(answer).encode())

    async def aclose(self) -> None:
        """Nothing to close."""


def listed(**entry: Any) -> dict[str, Any]:
    return {"data": [{"id": "m", **entry}]}


@pytest.mark.parametrize(
    ("endpoint", "server", "window"),
    [
        (OPENAI, Server(v1_models=listed(max_model_len=32_768)), 32_768),
        (OPENAI, Server(v1_models=listed(context_length=200_000)), 200_000),
        (
            OPENAI,
            Server(
                v1_models=listed(meta={"n_ctx_train": 131_072}), props={"default_generation_settings": {"n_ctx": 4096}}
            ),
            4_096,
        ),
        (OPENAI, Server(v1_models=listed()), None),
        (OPENAI, Server(v1_models={"data": [{"id": "other", "max_model_len": 9}]}), None),
        (OPENAI, Server(v1_models=TransportFailure(FailureKind.CONNECT, "refused")), None),
        (OLLAMA, Server(api_ps={"models": [{"model": "m:latest", "context_length": 8_192}]}), 8_192),
        (
            OLLAMA,
            Server(
                api_ps={"models": []},
                api_show={"parameters": 'stop  "x"\nnum_ctx   16384', "model_info": {"llama.context_length": 131_072}},
            ),
            16_384,
        ),
        (OLLAMA, Server(api_show={"model_info": {"qwen3.context_length": 40_960}}), 40_960),
        (OLLAMA, Server(api_show={"parameters": "num_ctx " + "9" * 5_000}), None),
        (OLLAMA, Server(api_show={"parameters": "num_ctx 0"}), None),
        (OLLAMA, Server(api_show={"parameters": "\n" * 400_000 + "stop\nnum_ctx 8192\r\n"}), 8_192),
        (OLLAMA, Server(api_show=["nonsense"]), None),
    ],
)
async def test_the_window_is_what_the_server_says(endpoint: Endpoint, server: Any, window: int | None) -> None:
    assert await ask_window(endpoint, "m", server, None) == window

"""What a server itself says of the context window of a model it serves. Sources: the servers' API documentation.

vLLM, OpenRouter and others state it in their list of models; llama.cpp in /props, for one slot; Ollama's is what the
loaded model has (/api/ps), else what its Modelfile sets (num_ctx), and never more than the model was made for.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import orjson

from tui_batch.domain.endpoint import Api, Endpoint
from tui_batch.domain.request import Timeouts
from tui_batch.errors import UserError
from tui_batch.providers.base import HttpRequest, Transport, TransportFailure, TransportTimeout
from tui_batch.providers.classify import count_of, parse_json
from tui_batch.providers.client import request_headers
from tui_batch.providers.discovery import list_models
from tui_batch.providers.registry import provider_for

PATIENCE = Timeouts(connect_s=0.5, total_s=1.0)
"""It is a help and no need: a server that is slow to say is not waited for."""
_NUM_CTX = re.compile(r"^[ \t]*num_ctx[ \t]+([1-9][0-9]{0,8})\b", re.MULTILINE)


async def ask_window(endpoint: Endpoint, model: str, transport: Transport, secret: str | None) -> int | None:
    """Tokens that a model's context holds, by its server's own word; None: it does not say. Takes 2 s at most."""
    if endpoint.api is Api.OLLAMA:
        return await _of_ollama(endpoint, model, transport, secret)
    try:
        listed = await list_models(endpoint, transport, secret, PATIENCE)
    except UserError:
        return None
    if endpoint.api is Api.OPENAI:
        # A slot's share, where the server has slots: the model's own length in the list may be more.
        base = endpoint.base_url.removesuffix("/v1")
        props = await _answer(endpoint, "GET", f"{base}/props", None, transport, secret) if len(listed) == 1 else {}
        if slot := count_of(props.get("default_generation_settings"), "n_ctx"):
            return slot
    return next((one.context_length for one in listed if one.id == model), None)


async def _of_ollama(endpoint: Endpoint, model: str, transport: Transport, secret: str | None) -> int | None:
    base = endpoint.base_url
    loaded = await _answer(endpoint, "GET", f"{base}/api/ps", None, transport, secret)
    running = loaded.get("models")
    names = {model, f"{model}:latest"}
    for one in running if isinstance(running, list) else ():
        named = isinstance(one, Mapping) and names & {str(one.get("model")), str(one.get("name"))}
        if named and (length := count_of(one, "context_length")):
            return length
    shown = await _answer(endpoint, "POST", f"{base}/api/show", {"model": model}, transport, secret)
    set_by_file = _NUM_CTX.search(str(shown.get("parameters") or ""))
    about = shown.get("model_info")
    made_for = [
        length
        for name in (about if isinstance(about, Mapping) else {})
        if str(name).endswith(".context_length") and (length := count_of(about, name))
    ]
    lengths = [*made_for, *([int(set_by_file.group(1))] if set_by_file else [])]
    return min(lengths, default=None)


async def _answer(
    endpoint: Endpoint, method: str, url: str, asked: Mapping[str, Any] | None, transport: Transport, secret: str | None
) -> Mapping[str, Any]:
    """The JSON object that a server answers with; empty for anything else."""
    headers = request_headers(provider_for(endpoint.api), endpoint, secret)
    body = None if asked is None else orjson.dumps(asked)
    try:
        response = await transport.send(HttpRequest(method, url, headers, body, PATIENCE))
    except (TransportTimeout, TransportFailure):
        return {}
    data = parse_json(response.body) if 200 <= response.status < 300 else None
    return data if isinstance(data, Mapping) else {}

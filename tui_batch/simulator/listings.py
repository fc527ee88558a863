"""Lists of models and the other answers that cost nothing: no limits, slots, latency or faults apply to them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime

from tui_batch.domain.endpoint import Api
from tui_batch.domain.request import Json
from tui_batch.simulator import words
from tui_batch.simulator.config import ModelSpec, SimulatorConfig, UnknownModels
from tui_batch.simulator.ollama_wire import iso_time
from tui_batch.simulator.wire import SimResponse, json_response

_RELEASED = 1_735_689_600
"""Unix time given as the release date of every model: 2025-01-01."""

OLLAMA_VERSION = "0.12.6"
"""The Ollama release whose API is imitated."""

_BILLIONS = re.compile(r"([0-9]{1,5}(?:\.[0-9]{1,3})?)b?")
"""Parameters, in the tag of a model's name: `llama3.2:3b`."""

_KEPT_S = 300.0
"""How long Ollama keeps an idle model loaded."""


def openai_models(config: SimulatorConfig) -> SimResponse:
    """GET /v1/models: every model but Anthropic's, as a compatible server lists what it serves."""
    models = [_openai_model(spec.name) for spec in config.models if spec.api is not Api.ANTHROPIC]
    return json_response(200, {"object": "list", "data": models})


def openai_model(config: SimulatorConfig, name: str) -> SimResponse:
    """GET /v1/models/NAME. Raises Problem for a model that is not served."""
    _known(config, Api.OPENAI, name)
    return json_response(200, _openai_model(name))


def anthropic_models(config: SimulatorConfig) -> SimResponse:
    """GET /v1/models with an anthropic-version header."""
    models = [_anthropic_model(spec) for spec in config.models if spec.api is Api.ANTHROPIC]
    edges = (
        {"first_id": models[0]["id"], "last_id": models[-1]["id"]} if models else {"first_id": None, "last_id": None}
    )
    return json_response(200, {"data": models, "has_more": False, **edges})


def anthropic_model(config: SimulatorConfig, name: str) -> SimResponse:
    """GET /v1/models/NAME with an anthropic-version header. Raises Problem."""
    spec = _known(config, Api.ANTHROPIC, name) or ModelSpec(name, Api.ANTHROPIC, 200_000)
    return json_response(200, _anthropic_model(spec))


def ollama_tags(config: SimulatorConfig) -> SimResponse:
    """GET /api/tags: the models on the disk."""
    return json_response(200, {"models": [_tag(spec) for spec in _ollama(config)]})


def ollama_ps(config: SimulatorConfig, loaded: Mapping[str, tuple[float, int]]) -> SimResponse:
    """GET /api/ps: the models in memory. `loaded` says when each was last used (Unix time) and its context length."""
    specs = {spec.name: spec for spec in _ollama(config)}
    models = [
        {
            **_tag(specs.get(name) or ModelSpec(name, Api.OLLAMA, window)),
            "expires_at": iso_time(used + _KEPT_S),
            "size_vram": _size(name),
            "context_length": window,
        }
        for name, (used, window) in loaded.items()
    ]
    return json_response(200, {"models": models})


def ollama_show(config: SimulatorConfig, body: Mapping[str, Json]) -> SimResponse:
    """POST /api/show: what is known about one model. Raises Problem."""
    name = str(body.get("model") or body.get("name") or "")
    spec = _known(config, Api.OLLAMA, name) or ModelSpec(name, Api.OLLAMA, 4_096)
    info = {"general.architecture": "llama", "llama.context_length": spec.context_window}
    if spec.dimensions:
        info["llama.embedding_length"] = spec.dimensions
    value = {
        "modelfile": f"FROM {spec.name}",
        "parameters": "",
        "template": "{{ .Prompt }}",
        "details": _details(spec),
        "model_info": info,
        "capabilities": ["embedding"] if spec.dimensions else ["completion"],
        "modified_at": iso_time(_RELEASED),
    }
    return json_response(200, value)


def ollama_version() -> SimResponse:
    """GET /api/version."""
    return json_response(200, {"version": OLLAMA_VERSION})


def ollama_root() -> SimResponse:
    """GET or HEAD /: how people see that the server is up."""
    return SimResponse(200, (("content-type", "text/plain; charset=utf-8"),), (b"Ollama is running",))


def _known(config: SimulatorConfig, api: Api, name: str) -> ModelSpec | None:
    spec = config.model(name)
    if spec is None and config.unknown_models is UnknownModels.REFUSE:
        raise words.no_model(api, name)
    return spec


def _openai_model(name: str) -> dict[str, Json]:
    return {"id": name, "object": "model", "created": _RELEASED, "owned_by": "simulator"}


def _anthropic_model(spec: ModelSpec) -> dict[str, Json]:
    return {
        "type": "model",
        "id": spec.name,
        "display_name": spec.name.replace("-", " ").title(),
        "created_at": datetime.fromtimestamp(_RELEASED, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "lifecycle": "active",
        "max_input_tokens": spec.context_window,
    }


def _ollama(config: SimulatorConfig) -> list[ModelSpec]:
    return [spec for spec in config.models if spec.api is Api.OLLAMA]


def _tag(spec: ModelSpec) -> dict[str, Json]:
    return {
        "name": spec.name,
        "model": spec.name,
        "modified_at": iso_time(_RELEASED),
        "size": _size(spec.name),
        "digest": "0" * 64,
        "details": _details(spec),
    }


def _details(spec: ModelSpec) -> dict[str, Json]:
    tag = spec.name.partition(":")[2]
    size = tag.upper() if tag[:1].isdigit() else "137M"
    return {
        "parent_model": "",
        "format": "gguf",
        "family": "llama",
        "families": ["llama"],
        "parameter_size": size,
        "quantization_level": "Q4_K_M",
    }


def _size(name: str) -> int:
    """Bytes on disk and in memory: about 0.6 a parameter, where the name tells how many there are."""
    told = _BILLIONS.fullmatch(name.partition(":")[2])
    return round((float(told.group(1)) if told else 0.14) * 0.6e9)

"""What kind of server to pretend to be."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from tui_batch.domain.endpoint import Api
from tui_batch.simulator.faults import FaultPlan
from tui_batch.simulator.latency import Latency
from tui_batch.simulator.limits import MINUTE_S
from tui_batch.simulator.score import REMEMBERED


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """A model on the list."""

    name: str
    api: Api
    context_window: int
    """Tokens. For Ollama: what the model was made for; a request's num_ctx (4,096 unless given) decides."""
    dimensions: int = 0
    """Length of its embeddings; 0: it is not an embedding model."""


DEFAULT_MODELS = (
    ModelSpec("gpt-4o-mini", Api.OPENAI, 128_000),
    ModelSpec("gpt-4o", Api.OPENAI, 128_000),
    ModelSpec("gpt-4.1-mini", Api.OPENAI, 1_047_576),
    ModelSpec("text-embedding-3-small", Api.OPENAI, 8_192, 1536),
    ModelSpec("text-embedding-3-large", Api.OPENAI, 8_192, 3072),
    ModelSpec("claude-haiku-4-5", Api.ANTHROPIC, 200_000),
    ModelSpec("claude-sonnet-4-5", Api.ANTHROPIC, 200_000),
    ModelSpec("llama3.2:3b", Api.OLLAMA, 131_072),
    ModelSpec("qwen3:8b", Api.OLLAMA, 40_960),
    ModelSpec("nomic-embed-text:latest", Api.OLLAMA, 2_048, 768),
)
"""Real names, so that prices and context windows are found as for the real thing."""


class UnknownModels(StrEnum):
    """What happens to a request for a model that is not listed."""

    ACCEPT = "accept"
    REFUSE = "refuse"


class Pieces(StrEnum):
    """How the pieces of a streamed answer come."""

    AT_ONCE = "at_once"
    """All together, when the whole answer is written."""
    PACED = "paced"
    """The first when the prompt is read, the others as the answer is written."""


class Profile(StrEnum):
    """Ready-made behaviours."""

    INSTANT = "instant"
    """No waiting at all."""
    HOSTED = "hosted"
    """A provider's service: quick, and as parallel as one likes."""
    LOCAL = "local"
    """One GPU with four slots and a queue of 512, as Ollama has it."""
    SLOW = "slow"
    """A small machine: one slot, seconds an answer."""


@dataclass(frozen=True, slots=True)
class SimulatorConfig:
    """Everything about the pretended server. Two simulators with equal configurations answer equally."""

    seed: int = 0
    latency: Latency = field(default_factory=Latency)
    faults: FaultPlan = field(default_factory=FaultPlan)
    rpm: int | None = None
    """Requests per minute and model; None: no limit, and no limit headers."""
    tpm: int | None = None
    """Tokens, in and out, per minute and model; None: no limit."""
    interval_s: float = MINUTE_S
    """The span the limits are counted over; 1 counts by the second, as some providers do."""
    pieces: Pieces = Pieces.AT_ONCE
    slots: int | None = None
    """Requests worked on at the same time; None: no limit."""
    queue_length: int = 512
    """Requests that may wait for a slot (OLLAMA_MAX_QUEUE)."""
    context_window: int | None = None
    """Tokens, for every model; None: each model's own."""
    models: tuple[ModelSpec, ...] = DEFAULT_MODELS
    unknown_models: UnknownModels = UnknownModels.ACCEPT
    api_key: str | None = field(default=None, repr=False)
    """When set, requests without it get 401."""
    max_body_bytes: int = 64 * 1024 * 1024
    fault_retry_after_s: float = 1.0
    """What an injected 429 asks the client to wait."""
    hang_s: float = 3_600.0
    """How long a hanging request is held before the connection is closed."""
    slow_body_s: float = 10.0
    """How long a slow body takes to arrive."""
    remembered: int = REMEMBERED
    """Prompts whose repeats are counted. Of one forgotten the next request counts as the first."""

    @classmethod
    def for_profile(cls, profile: Profile, **changes: Any) -> SimulatorConfig:
        """A profile's configuration with some fields replaced."""
        return cls(**{**_PROFILES[profile], **changes})

    def model(self, name: str) -> ModelSpec | None:
        """The listed model of that name; Ollama's `:latest` may be left out."""
        for spec in self.models:
            if name == spec.name or f"{name}:latest" == spec.name:
                return spec
        return None


_PROFILES: dict[Profile, dict[str, Any]] = {
    Profile.INSTANT: {},
    Profile.HOSTED: {"latency": Latency(0.35, 0.00002, 0.008, 0.25), "pieces": Pieces.PACED},
    Profile.LOCAL: {"latency": Latency(0.08, 0.0004, 0.018, 0.1), "pieces": Pieces.PACED, "slots": 4},
    Profile.SLOW: {"latency": Latency(1.5, 0.004, 0.12, 0.15), "pieces": Pieces.PACED, "slots": 1},
}

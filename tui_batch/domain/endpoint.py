"""Where requests go: wire formats, operations, endpoints and deployments."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

SIMULATED = "simulator://"
"""Base URLs that begin so lead to the built-in simulator: nothing leaves the process and nobody is paid."""


class Api(StrEnum):
    """The wire format an endpoint speaks."""

    OPENAI = "openai"
    ANTHROPIC = "anthropic"
    OLLAMA = "ollama"


class Operation(StrEnum):
    """What is asked of a model. `generate` exists in Ollama's wire format only."""

    CHAT = "chat"
    GENERATE = "generate"
    EMBED = "embed"


class KeyKind(StrEnum):
    """Where a secret is kept. The secret itself is never part of a domain value."""

    NONE = "none"
    ENV = "env"
    KEYRING = "keyring"


@dataclass(frozen=True, slots=True)
class KeySource:
    """A pointer to a secret: an environment variable's name, or a keyring entry's name."""

    kind: KeyKind = KeyKind.NONE
    name: str = ""

    def __str__(self) -> str:
        return "none" if self.kind is KeyKind.NONE else f"{self.kind}:{self.name}"

    @classmethod
    def parse(cls, text: str) -> KeySource:
        """Reads `none`, `env:NAME` or `keyring:NAME`. Raises ValueError for anything else."""
        kind, _, name = text.partition(":")
        if kind not in set(KeyKind) or (kind == KeyKind.NONE) != (not name):
            raise ValueError("a key source is none, env:VARIABLE or keyring:NAME")
        return cls(KeyKind(kind), name)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A server: base URL, wire format, and where its key comes from."""

    name: str
    """Unique among a person's endpoints; shown everywhere."""
    api: Api
    base_url: str
    """Without a trailing slash. OpenAI-compatible servers: up to and including `/v1`."""
    key: KeySource = KeySource()
    headers: tuple[tuple[str, str], ...] = ()
    """Extra headers that are not secret."""
    max_in_flight: int | None = None
    """Upper bound on simultaneous requests per model; None: only the job's own concurrency bounds."""
    rpm: int | None = None
    """Requests per minute the server allows per model; None: unknown."""
    tpm: int | None = None
    """Tokens (in and out) per minute the server allows per model; None: unknown."""
    rpd: int | None = None
    """Requests in any 24 hours the server allows per model; None: unknown."""

    def is_same_server(self, other: Endpoint) -> bool:
        """Whether requests to both go to one place with one key: names can be given anew."""
        mine = (self.api, self.base_url, self.key, self.headers)
        return mine == (other.api, other.base_url, other.key, other.headers)


class DeploymentKey(NamedTuple):
    """Names a deployment in tables, logs and counters."""

    endpoint: str
    model: str

    def __str__(self) -> str:
        return f"{self.model} @ {self.endpoint}"


@dataclass(frozen=True, slots=True)
class Deployment:
    """One model on one endpoint: the thing that has limits, a breaker and counters."""

    endpoint: Endpoint
    model: str

    @property
    def key(self) -> DeploymentKey:
        """Endpoint name and model name."""
        return DeploymentKey(self.endpoint.name, self.model)

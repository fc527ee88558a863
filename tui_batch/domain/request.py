"""A request on its way: first neutral, then as bytes for one deployment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Any

from tui_batch.domain.endpoint import Api, DeploymentKey, Operation
from tui_batch.domain.values import immutable

Json = Any
"""A value that the json module can write. Checked at the edges, not by the type checker."""


@immutable(frozen=True, slots=True)
class Message:
    """One turn of a conversation."""

    role: str
    content: Json
    """Text, or the provider's own list of content parts, passed through."""


@immutable(frozen=True, slots=True)
class PromptRequest:
    """What a row asks for, before any wire format."""

    operation: Operation
    messages: tuple[Message, ...] = ()
    """Chat: system first, when there is one. Generate: system and user. Embed: one message that is the text."""
    params: Mapping[str, Json] = field(default_factory=dict)
    """temperature, max_tokens, top_p, stop, seed, num_ctx, ...; a wire format maps the ones it names differently."""
    schema: Json = None
    """JSON Schema for structured output; None: free text."""
    body: Mapping[str, Json] | None = None
    """A ready request body (OpenAI Batch lines, bare bodies): sent as it is but for the model."""


@immutable(frozen=True, slots=True)
class Timeouts:
    """Bounds of one request in seconds."""

    connect_s: float = 10.0
    total_s: float = 120.0
    """From sending to the last byte; grows with the estimated tokens."""
    first_byte_s: float | None = None
    """Streamed requests: from sending to the first byte of the answer's body; None: only total_s bounds it."""
    stall_s: float | None = None
    """Streamed requests: silence between two pieces at most. None: the answer is asked for in one piece."""


@immutable(frozen=True, slots=True)
class WireRequest:
    """One HTTP request as plain serialisable values. The key is added at the transport's edge and is never in here."""

    deployment: DeploymentKey
    api: Api
    operation: Operation
    path: str
    """Appended to the endpoint's base URL, starting with a slash."""
    body: bytes
    timeouts: Timeouts = Timeouts()

"""What came of one request, as plain values. The table of classes is in docs/outcomes.md."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from tui_batch.domain.values import immutable


class OutcomeClass(StrEnum):
    """Every request ends in exactly one of these."""

    OK = "ok"
    RATE_LIMITED = "rate_limited"
    OVERLOADED = "overloaded"
    QUOTA = "quota"
    AUTH = "auth"
    NOT_FOUND = "not_found"
    CONTEXT_LENGTH = "context_length"
    BAD_REQUEST = "bad_request"
    REFUSED = "refused"
    TIMEOUT = "timeout"
    CONNECTION = "connection"
    SERVER_ERROR = "server_error"
    MALFORMED = "malformed"
    TRUNCATED = "truncated"
    INVALID = "invalid"


@immutable(frozen=True, slots=True)
class Usage:
    """Tokens as the server counted them. None means the server did not say (never 0 for unknown)."""

    input_tokens: int | None = None
    """All prompt tokens, cached ones included, whatever the provider's own field means."""
    output_tokens: int | None = None
    """All generated tokens, reasoning included."""
    cached_tokens: int | None = None
    """Part of input_tokens read from the provider's prompt cache."""
    cache_write_tokens: int | None = None
    """Part of input_tokens written to the provider's prompt cache (Anthropic)."""
    long_write_tokens: int | None = None
    """Part of cache_write_tokens that the provider keeps for an hour (Anthropic)."""
    sound_tokens: int | None = None
    """Part of input_tokens that is sound."""
    spoken_tokens: int | None = None
    """Part of output_tokens that is sound."""
    tier: str | None = None
    """The service tier that the server says it worked in, where its prices differ by that."""
    region: str | None = None
    """Where the server says it worked, where its prices differ by that (Anthropic's inference_geo)."""
    web_searches: int | None = None
    """Searches of the web that the provider made itself, for a fee each."""
    code_runs: int | None = None
    """Times that the provider ran code itself, for a fee."""

    @property
    def total(self) -> int | None:
        """Input plus output; None when neither is known."""
        if self.input_tokens is None and self.output_tokens is None:
            return None
        return (self.input_tokens or 0) + (self.output_tokens or 0)


@dataclass(frozen=True, slots=True)
class Window:
    """One limit as a server's headers state it."""

    limit: int | None = None
    remaining: int | None = None
    reset_s: float | None = None
    """Seconds until the bucket is full again (OpenAI, Anthropic); not the wait for the next call."""


@dataclass(frozen=True, slots=True)
class RateHeaders:
    """What a response's headers say about limits. Nonsense (negative, zero, unparsable) is left out as None."""

    requests: Window = Window()
    tokens: Window = Window()


@immutable(frozen=True, slots=True)
class Outcome:
    """What came of one request: an answer or an error, never both absent."""

    cls: OutcomeClass
    text: str | None = None
    """The answer. For embeddings, the vector as a JSON array."""
    usage: Usage = Usage()
    finish_reason: str | None = None
    """The provider's own word: stop, length, end_turn, max_tokens, content_filter, ..."""
    status: int | None = None
    """HTTP status; None when no response came."""
    message: str = ""
    """Error in the provider's own words, secrets removed, at most 2,000 characters."""
    code: str | None = None
    """The provider's machine-readable error code or type."""
    retry_after_s: float | None = None
    """How long the server asks to wait, from Retry-After-Ms, Retry-After or the error body."""
    should_retry: bool | None = None
    """The server's x-should-retry, which wins over the class's own rule."""
    limits: RateHeaders | None = None
    request_id: str | None = None
    model: str | None = None
    """The model the server says answered."""
    started_at: float = 0.0
    """Unix time at which the request was sent."""
    latency_s: float = 0.0
    """From sending to the last byte."""
    raw: bytes | None = None
    """The response body as received."""

    def timed(self, started_at: float, latency_s: float) -> Outcome:
        """The same outcome with its times."""
        # All fields by hand: `replace` costs twice as much, and this is on the way of every request.
        return Outcome(
            self.cls,
            self.text,
            self.usage,
            self.finish_reason,
            self.status,
            self.message,
            self.code,
            self.retry_after_s,
            self.should_retry,
            self.limits,
            self.request_id,
            self.model,
            started_at,
            latency_s,
            self.raw,
        )


RETRYABLE = frozenset(
    {
        OutcomeClass.RATE_LIMITED,
        OutcomeClass.OVERLOADED,
        OutcomeClass.TIMEOUT,
        OutcomeClass.CONNECTION,
        OutcomeClass.SERVER_ERROR,
        OutcomeClass.MALFORMED,
        OutcomeClass.INVALID,
    }
)
"""Classes that another request may cure."""

FREE_RETRY = frozenset({OutcomeClass.RATE_LIMITED, OutcomeClass.OVERLOADED})
"""Classes that cost an item no attempt: the server declined to start the work."""

JOB_WIDE = frozenset({OutcomeClass.QUOTA, OutcomeClass.AUTH, OutcomeClass.NOT_FOUND})
"""Classes that every other item of the job would meet too."""

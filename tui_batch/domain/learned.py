"""What was learned from a model's answers, kept from one run to the next."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Learned:
    """Experience with one model on one endpoint. Every mean weighs newer answers more."""

    ratio: float | None = None
    """Prompt tokens as the server reported them, over the rule of thumb's estimate; None: none was reported so."""
    counted_ratio: float | None = None
    """The same over what the model's own vocabulary counted."""
    answers: int = 0
    """Answers that went into this."""
    tokens_out: float | None = None
    """Mean answer tokens; None: no server said."""
    spread_out: float = 0.0
    """Standard deviation of the answer tokens."""
    latency_s: float | None = None
    """Mean seconds from sending to the last byte; None: nothing answered yet."""
    in_flight: float | None = None
    """Mean requests in flight there in jobs that leave the number to the program, while more was to be sent."""


@dataclass(frozen=True, slots=True)
class LearnedLimits:
    """Limits of one deployment that its server taught, by headers or by refusals. None: it taught none such."""

    pace_per_s: float | None
    """Requests a second, spread evenly: it counts in short intervals."""
    per_minute: int | None
    """Requests that it takes in a minute, as its refusals showed."""
    rpm: int | None
    """Requests a minute that its headers stated."""
    tpm: int | None
    """Tokens a minute, likewise."""
    rpd: int | None
    """Requests a day, likewise."""
    at: float
    """When the last refusal or header told of it: seconds on the caller's clock in memory, Unix time in the store."""

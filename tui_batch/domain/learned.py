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

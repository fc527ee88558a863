"""How long a request may take, from what it asks for."""

from __future__ import annotations

from dataclasses import replace

from tui_batch.domain.job import JobSpec
from tui_batch.domain.request import Timeouts

CONNECT_S = 10.0
"""Connecting does not depend on the prompt."""


def timeouts_for(tokens: int, base_s: float, per_1k_tokens_s: float) -> Timeouts:
    """Bounds for a request of `tokens` estimated tokens, in and out together: long prompts get long timeouts."""
    return Timeouts(connect_s=CONNECT_S, total_s=base_s + per_1k_tokens_s * max(0, tokens) / 1000.0)


def with_patience(whole: Timeouts, tokens_in: int, spec: JobSpec) -> Timeouts:
    """The bounds of the same request when it is streamed. A long prompt takes long to read before the first byte."""
    reading_s = spec.timeout_per_1k_tokens_s * max(0, tokens_in) / 1000.0
    return replace(whole, first_byte_s=spec.first_byte_s + reading_s, stall_s=spec.stall_s)

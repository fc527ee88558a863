"""How long a request may take, from what it asks for."""

from __future__ import annotations

from tui_batch.domain.request import Timeouts

CONNECT_S = 10.0
"""DESIGN section 4: connecting does not depend on the prompt."""


def timeouts_for(tokens: int, base_s: float, per_1k_tokens_s: float) -> Timeouts:
    """Bounds for a request of `tokens` estimated tokens, in and out together: long prompts get long timeouts."""
    return Timeouts(connect_s=CONNECT_S, total_s=base_s + per_1k_tokens_s * max(0, tokens) / 1000.0)

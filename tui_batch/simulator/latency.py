"""How long an answer takes, from its tokens."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

from tui_batch.simulator.chance import draw

_NORMAL = NormalDist()


@dataclass(frozen=True, slots=True)
class Latency:
    """Time to the first token, plus a cost per token read and written, times log-normal jitter."""

    first_token_s: float = 0.0
    per_input_token_s: float = 0.0
    per_output_token_s: float = 0.0
    sigma: float = 0.0
    """Standard deviation of the logarithm of the jitter; the median answer is not changed by it."""

    def read_s(self, input_tokens: int) -> float:
        """Seconds until the first token of the answer, before jitter."""
        return self.first_token_s + input_tokens * self.per_input_token_s

    def write_s(self, output_tokens: int) -> float:
        """Seconds to write the answer, before jitter."""
        return output_tokens * self.per_output_token_s

    def total_s(self, input_tokens: int, output_tokens: int, seed: int, key: int, attempt: int) -> float:
        """Seconds from admission to the last byte. The jitter depends on the content and attempt only."""
        median = self.read_s(input_tokens) + self.write_s(output_tokens)
        if not median or not self.sigma:
            return median
        chance = min(max(draw(seed, key, attempt, "latency"), 1e-6), 1 - 1e-6)
        return median * math.exp(self.sigma * _NORMAL.inv_cdf(chance))

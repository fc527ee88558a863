"""Tokens before a call: a cheap estimate, made honest by what the servers report back."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from tui_batch.domain.endpoint import DeploymentKey
from tui_batch.domain.learned import Learned

CHARS_PER_TOKEN = 4.0
"""The usual rule of thumb for English prose; code and figures have fewer."""
BYTES_PER_TOKEN_OTHER = 3.0
"""A rule of thumb for text outside ASCII, in UTF-8 bytes: about one Chinese character, one and a half Cyrillic."""
OVERHEAD = 8
"""Tokens that a chat's own framing adds to a prompt of one or two messages."""
DEFAULT_OUTPUT = 256
"""Expected answer tokens before any answer was seen and when the request sets no bound."""
RATIO_WEIGHT = 0.1
"""Weight of the newest observation in a model's ratio."""
RATIO_LIMIT = 4.0
"""One observation, and the ratio itself, is taken as at most this factor up or down: one oddity must not rule."""
OUTPUT_WEIGHT = 0.05
"""Weight of the newest answer in the mean length and time of answers."""
SURE_FACTOR = 2.0
"""An estimate is believed to be no further off than this when a prompt is refused for its length unsent."""

Counter = Callable[[str], int]
"""Counts the tokens of a text exactly."""


class Size(NamedTuple):
    """A prompt's size before anything that was learned is applied."""

    tokens: int
    exact: bool = False
    """Counted with the model's own vocabulary, and not by rule of thumb."""


NO_SIZE = Size(0)
"""Of a prompt that nothing is to be learned from."""


def estimate(text: str | int) -> int:
    """Tokens of a text (or, cruder, of that many characters), without a vocabulary.

    A rule of thumb that can be off by half for code or for scripts that a vocabulary treats well or badly. What is
    constant in that error is taken out by the ratio learned per model from the first answers on.
    """
    if isinstance(text, int):
        return math.ceil(text / CHARS_PER_TOKEN)
    if text.isascii():
        return math.ceil(len(text) / CHARS_PER_TOKEN)
    size = len(text.encode("utf-8", "surrogatepass"))
    # A character outside ASCII has one to three bytes more than one; three halves of these is about its whole size.
    other = min(size, (size - len(text)) * 3 // 2)
    return math.ceil((size - other) / CHARS_PER_TOKEN + other / BYTES_PER_TOKEN_OTHER)


class _Experience:
    """What `Learned` says, as it grows."""

    __slots__ = ("answers", "in_flight", "latency_s", "log_ratios", "mean_out", "square_out")

    def __init__(self, known: Learned | None) -> None:
        known = known or Learned()
        self.answers = known.answers
        self.log_ratios: list[float | None] = [
            None if ratio is None else math.log(_clip(ratio)) for ratio in (known.ratio, known.counted_ratio)
        ]
        """By rule of thumb, and by vocabulary; None: nothing reported yet."""
        self.mean_out = known.tokens_out
        self.square_out = known.spread_out**2
        self.latency_s = known.latency_s
        self.in_flight = known.in_flight

    def export(self) -> Learned:
        ratio, counted = (None if value is None else math.exp(value) for value in self.log_ratios)
        spread = math.sqrt(self.square_out)
        return Learned(ratio, counted, self.answers, self.mean_out, spread, self.latency_s, self.in_flight)


class TokenEstimator:
    """Estimates for all models. Reading may happen in any thread; the `learn` methods on the loop."""

    def __init__(self, learned: Mapping[DeploymentKey, Learned] | None = None) -> None:
        self._known = {key: _Experience(one) for key, one in (learned or {}).items()}
        self._counters: dict[str, Counter] = {}
        self._fresh: set[DeploymentKey] = set()

    def counts_exactly(self, model: str) -> bool:
        """Whether texts for a model are counted, so that `size` is worth being given them."""
        return model in self._counters

    def size(self, model: str, texts: Sequence[str] | int) -> Size:
        """The size of a prompt: of its texts, one a message, or only of its number of characters."""
        counter = self._counters.get(model)
        if isinstance(texts, int):
            return Size(estimate(texts) + OVERHEAD)
        if counter is None:
            return Size(sum(map(estimate, texts)) + OVERHEAD)
        # OpenAI cookbook, "How to count tokens": 3 and the role for a message, 3 that begin the answer.
        return Size(sum(map(counter, texts)) + 4 * len(texts) + 3, exact=True)

    def input_tokens(self, key: DeploymentKey, size: Size) -> int:
        """Expected prompt tokens, as this model's server will count them."""
        return max(1, round(size.tokens * self.ratio(key, exact=size.exact)))

    def surely_above(self, key: DeploymentKey, size: Size, window: int) -> bool:
        """Whether a prompt certainly has more tokens than a context window holds."""
        expected = self.input_tokens(key, size)
        return (min(expected, size.tokens) if size.exact else expected / SURE_FACTOR) > window

    def output_tokens(self, key: DeploymentKey, limit: int | None) -> int:
        """Expected answer tokens: the running mean of the model's answers, never above the request's own limit."""
        known = self._known.get(key)
        mean = None if known is None else known.mean_out
        expected = DEFAULT_OUTPUT if mean is None else max(1, round(mean))
        if limit is None:
            return expected
        return limit if mean is None else min(limit, expected)

    def learn_input(self, key: DeploymentKey, size: Size, reported: int) -> None:
        """The server counted `reported` prompt tokens in a prompt of this size."""
        if size.tokens <= 0 or reported <= 0:
            return
        known = self._learning(key)
        now = known.log_ratios[size.exact]
        seen = math.log(_clip(reported / size.tokens))
        known.log_ratios[size.exact] = seen if now is None else now + RATIO_WEIGHT * (seen - now)

    def learn_answer(self, key: DeploymentKey, reported: int, latency_s: float) -> None:
        """An answer came: the server counted so many tokens in it, and it took so long."""
        known = self._learning(key)
        known.answers += 1
        mean = known.mean_out
        if mean is None or known.latency_s is None:
            known.mean_out, known.latency_s = float(reported), latency_s
            return
        # The first answers weigh alike; later ones as a running mean with a memory.
        weight = max(OUTPUT_WEIGHT, 1.0 / known.answers)
        change = reported - mean
        known.mean_out = mean + weight * change
        known.square_out = (1.0 - weight) * (known.square_out + weight * change * change)
        known.latency_s += weight * (latency_s - known.latency_s)

    def learn_in_flight(self, key: DeploymentKey, count: int) -> None:
        """So many requests were in flight when an answer came; for a job that takes as many as the server allows."""
        known = self._learning(key)
        before = known.in_flight
        known.in_flight = float(count) if before is None else before + OUTPUT_WEIGHT * (count - before)

    def ratio(self, key: DeploymentKey, *, exact: bool = False) -> float:
        """Reported prompt tokens over the estimate (or count); 1 before anything was reported."""
        known = self._known.get(key)
        return 1.0 if known is None else math.exp(known.log_ratios[exact] or 0.0)

    def learned(self, key: DeploymentKey) -> Learned | None:
        """What is known about a model on an endpoint."""
        known = self._known.get(key)
        return None if known is None else known.export()

    def use_counter(self, model: str, counter: Counter) -> None:
        """Counts exactly for a model from now on (see money.vocabulary)."""
        self._counters[model] = counter

    def take_fresh(self) -> dict[DeploymentKey, Learned]:
        """What was learned since this was last called, to be kept."""
        fresh = {key: self._known[key].export() for key in self._fresh}
        self._fresh.clear()
        return fresh

    def put_back(self, fresh: Mapping[DeploymentKey, Learned]) -> None:
        """What `take_fresh` gave could not be kept: it is to be given again."""
        self._fresh.update(fresh)

    def _learning(self, key: DeploymentKey) -> _Experience:
        self._fresh.add(key)
        known = self._known.get(key)
        if known is None:
            known = self._known[key] = _Experience(None)
        return known


def _clip(ratio: float) -> float:
    return min(RATIO_LIMIT, max(1.0 / RATIO_LIMIT, ratio))

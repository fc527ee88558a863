"""Tokens before a call: a cheap estimate, made honest by what the servers report back."""

from __future__ import annotations

import hashlib
import math
import os
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

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

Counter = Callable[[str], int]
"""Counts the tokens of a text exactly."""


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


class TokenEstimator:
    """Estimates for all models. Reading may happen in any thread; `observe` and `learn_output` on the loop."""

    def __init__(self, ratios: Mapping[str, float] | None = None, outputs: Mapping[str, float] | None = None) -> None:
        self._log_ratios = {model: math.log(_clip(value)) for model, value in (ratios or {}).items() if value > 0}
        self._outputs = {model: value for model, value in (outputs or {}).items() if value >= 0}
        self._counters: dict[str, Counter] = {}

    def input_tokens(self, model: str, text: str | int) -> int:
        """Expected prompt tokens. `text`: the prompt, or only its number of characters."""
        counter = self._counters.get(model)
        if counter is not None and isinstance(text, str):
            return counter(text) + OVERHEAD
        return max(1, round((estimate(text) + OVERHEAD) * self.ratio(model)))

    def output_tokens(self, model: str, limit: int | None) -> int:
        """Expected answer tokens: the running mean of the model's answers, never above the request's own limit."""
        mean = self._outputs.get(model)
        expected = DEFAULT_OUTPUT if mean is None else max(1, round(mean))
        if limit is None:
            return expected
        return limit if mean is None else min(limit, expected)

    def observe(self, model: str, estimated: int, reported: int) -> None:
        """The server counted `reported` prompt tokens where `input_tokens` said `estimated`."""
        if estimated <= 0 or reported <= 0 or model in self._counters:
            return
        now = self._log_ratios.get(model)
        # `estimated` has the present ratio in it; what is learned is the factor against the raw estimate.
        seen = math.log(_clip(reported / estimated)) + (now or 0.0)
        updated = seen if now is None else now + RATIO_WEIGHT * (seen - now)
        self._log_ratios[model] = math.log(_clip(math.exp(updated)))

    def learn_output(self, model: str, reported: int) -> None:
        """The server counted this many answer tokens."""
        mean = self._outputs.get(model)
        self._outputs[model] = float(reported) if mean is None else mean + OUTPUT_WEIGHT * (reported - mean)

    def ratio(self, model: str) -> float:
        """Reported over estimated prompt tokens; 1 before anything was reported."""
        return math.exp(self._log_ratios.get(model, 0.0))

    def use_counter(self, model: str, counter: Counter) -> None:
        """Counts exactly for a model from now on (see `load_counter`)."""
        self._counters[model] = counter

    def export(self) -> tuple[dict[str, float], dict[str, float]]:
        """Ratios and mean answer tokens by model, to be kept and given to the next estimator."""
        return {model: math.exp(value) for model, value in self._log_ratios.items()}, dict(self._outputs)


def _clip(ratio: float) -> float:
    return min(RATIO_LIMIT, max(1.0 / RATIO_LIMIT, ratio))


_VOCABULARIES = "https://openaipublic.blob.core.windows.net/encodings/"
"""Where tiktoken gets its vocabularies from; its cache names a file by the SHA-1 of the address (tiktoken source)."""


def load_counter(model: str) -> Counter | None:
    """An exact counter for an OpenAI model, if its vocabulary lies in tiktoken's cache; None otherwise.

    Takes up to a second and must run in a thread. Downloads nothing, unless the cached file is damaged: then tiktoken
    itself fetches it anew.
    """
    import tiktoken

    try:
        name = tiktoken.encoding_name_for_model(model)
    except KeyError:
        return None
    if not (_cache_dir() / hashlib.sha1(f"{_VOCABULARIES}{name}.tiktoken".encode()).hexdigest()).is_file():
        return None
    encoding = tiktoken.get_encoding(name)
    return lambda text: len(encoding.encode_ordinary(text))


def _cache_dir() -> Path:
    """tiktoken's own rule (its load module)."""
    named = os.environ.get("TIKTOKEN_CACHE_DIR") or os.environ.get("DATA_GYM_CACHE_DIR")
    return Path(named) if named else Path(tempfile.gettempdir()) / "data-gym-cache"

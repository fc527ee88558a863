"""Embeddings: hashed bags of words, so that texts with the same words lie close together."""

from __future__ import annotations

import math
from collections import Counter

from tui_batch.simulator.answers.terms import terms, with_pairs
from tui_batch.simulator.chance import digest

_SPREAD = 4
"""Coordinates that each word touches."""
_MOST_READ = 20_000
_COMMON_WORDS = "the a an of to and in is it i my for on do how can what you your"
_COMMON = frozenset(_COMMON_WORDS.split())


def embed(text: str, dimensions: int) -> list[float]:
    """A unit vector. Equal texts get equal vectors; shared words give a positive dot product."""
    vector = [0.0] * dimensions
    for term, count in Counter(with_pairs(terms(text[:_MOST_READ]))).items():
        weight = (1 + math.log(count)) * (0.3 if term in _COMMON else 0.6 if " " in term else 1.0)
        mixed = digest(term)
        for _ in range(_SPREAD):
            mixed, place = divmod(mixed, dimensions)
            mixed, sign = divmod(mixed, 2)
            vector[place] += weight if sign else -weight
    length = math.sqrt(math.fsum(value * value for value in vector))
    if not length:
        vector[digest(text) % dimensions] = length = 1.0
    return [value / length for value in vector]

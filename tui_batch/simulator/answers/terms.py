"""Words as the classifiers and the embeddings see them: lower case, endings taken off."""

from __future__ import annotations

import re
from itertools import pairwise

_WORD = re.compile(r"[a-z]+(?:'[a-z]+)?|[0-9]+")
_ENDINGS = ("ing", "ed", "es", "s", "e")


def stem(word: str) -> str:
    """A word without its ending, doubled consonant undone: topping, topped and tops all become top."""
    word = word.removesuffix("'s")
    for ending in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= 3 and not word.endswith("ss"):
            word = word[: -len(ending)]
            break
    if len(word) > 3 and word[-1] == word[-2] and word[-1] not in "sl":
        word = word[:-1]
    return word


def terms(text: str) -> list[str]:
    """The stems of a text, in order."""
    return [stem(word) for word in _WORD.findall(text.lower())]


def with_pairs(stems: list[str]) -> list[str]:
    """The stems, and each pair of neighbours as one term."""
    return stems + [f"{first} {second}" for first, second in pairwise(stems)]

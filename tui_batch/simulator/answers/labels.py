"""Choosing one of the labels a request allows."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from tui_batch.simulator.answers import lexicon
from tui_batch.simulator.answers.terms import terms, with_pairs
from tui_batch.simulator.chance import draw

_OFFER = re.compile(
    r"\b(?:one of|categories|labels|classes|options|classify (?:it |this )?as)\b[^:\n]{0,60}?:?\s+"
    r"([\w\- ]{1,60}(?:\s{0,9}(?:,|\||/|\bor\b)\s{0,9}[\w\- ]{1,60})+)",
    re.IGNORECASE,
)
"""All repetitions are bounded: a prompt made to be slow may not hold up the app that runs the simulator."""
_BETWEEN = re.compile(r"\s*(?:,\s*or\b|,|\||/|\bor\b)\s*", re.IGNORECASE)


def offered_labels(instructions: str) -> tuple[str, ...]:
    """The labels in `one of: refund, delivery, other`; empty when none are offered."""
    found = _OFFER.search(instructions)
    if not found:
        return ()
    labels = [part.strip() for part in _BETWEEN.split(found.group(1))]
    short = tuple(label for label in labels if label and len(label.split()) <= 4)
    return short if len(short) == len(labels) > 1 else ()


def choose(text: str, labels: Sequence[str]) -> str:
    """The label that fits best. Ties, and texts that say nothing, go to a label that stands for the rest."""
    found = with_pairs(terms(text))
    scores = [_score(found, label) for label in labels]
    best = max(scores)
    if best <= 0:
        return _fallback(text, labels)
    return labels[scores.index(best)]


def _score(found: Sequence[str], label: str) -> float:
    known = _KNOWN.get(_name(label))
    if known is not None:
        return sum(known.get(term, 0.0) for term in found)
    words = set(terms(label.replace("_", " ")))
    return float(sum(term in words for term in found))


def _fallback(text: str, labels: Sequence[str]) -> str:
    for label in labels:
        if _name(label) in lexicon.REST:
            return label
    return labels[int(draw(text, *labels) * len(labels))]


def _name(label: str) -> str:
    return re.sub(r"[^a-z]+", "_", label.lower()).strip("_")


def _weights(rules: Mapping[str, float]) -> dict[str, float]:
    weights: dict[str, float] = {}
    for written, weight in rules.items():
        key = " ".join(terms(written))
        weights[key] = weight
    return weights


_KNOWN: Mapping[str, Mapping[str, float]] = {name: _weights(rules) for name, rules in lexicon.RULES.items()}

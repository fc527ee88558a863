"""Texts that begin alike. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from itertools import takewhile

BEFORE = 12
"""Characters of what they share that are kept before the difference: it would be read out of its sentence else."""
CUT = " … "


def told_apart(texts: Sequence[str], room: int) -> list[str]:
    """The texts in their order; where several look the same in `room` characters, what they share is cut short."""
    found = list(texts)
    for places in _look_alike(found, room):
        same = [found[place] for place in places]
        shared = len(common_start(same))
        head = room // 3
        skipped = shared - BEFORE
        if skipped <= head + len(CUT):  # nothing worth leaving out stands before the difference
            continue
        shorter = told_apart([f"{text[:head]}{CUT}{text[skipped:]}" for text in same], room)
        for place, text in zip(places, shorter, strict=True):
            found[place] = text
    return found


def common_start(texts: Sequence[str]) -> str:
    """The letters that all begin with; one text at least."""
    first, last = min(texts), max(texts)
    same = takewhile(lambda pair: pair[0] == pair[1], zip(first, last, strict=False))
    return first[: sum(1 for _ in same)]


def _look_alike(texts: Sequence[str], room: int) -> list[list[int]]:
    """The places of texts of which no more is seen than the same beginning; the very same texts are one."""
    by_sight: defaultdict[str, list[int]] = defaultdict(list)
    for place, text in enumerate(texts):
        by_sight[text[: room - 1] if len(text) > room else text].append(place)
    return [places for places in by_sight.values() if len({texts[place] for place in places}) > 1]

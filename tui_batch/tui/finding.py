"""Finding entries of a list by a few typed letters. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

T = TypeVar("T")
_FAR = 1_000
"""Added where letters are only found one after another, so that every real part of the text comes before."""


def distance(typed: str, text: str) -> int | None:
    """How far a text is from what was typed: 0 is nearest, None is no match. Upper and lower case are alike.

    All words found in the text: the position of the first, less for the start of a word. Else the letters in order:
    how much stands between them.
    """
    typed, text = typed.lower().strip(), text.lower()
    if all(word in text for word in typed.split()):
        at = text.find(typed.split()[0]) if typed else 0
        starts_word = at == 0 or not text[at - 1].isalnum()
        return at + (0 if starts_word else 100)
    at, gaps = -1, 0
    for letter in typed.replace(" ", ""):
        found = text.find(letter, at + 1)
        if found < 0:
            return None
        gaps += found - at - 1
        at = found
    return _FAR + gaps


def found(typed: str, entries: Iterable[T], text: Callable[[T], str], most: int) -> list[T]:
    """The nearest entries, in their own order where equally near."""
    ranked = [
        (near, number, entry)
        for number, entry in enumerate(entries)
        if (near := distance(typed, text(entry))) is not None
    ]
    ranked.sort(key=lambda one: one[:2])
    return [entry for _, _, entry in ranked[:most]]

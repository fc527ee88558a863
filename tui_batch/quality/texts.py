"""Texts compared: as values, as plain words, as numbers, by the words they share."""

from __future__ import annotations

import re
import string
import unicodedata
from collections import Counter

import orjson

from tui_batch.domain.request import Json

_EXACT = 2.0**53
"""Below this a float that is a whole number is written as one."""

_ARTICLES = frozenset({"a", "an", "the"})

_NUMBER = re.compile(
    r"(?:(?<![\w)])[-+−])?(?:(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)(?:\.\d+)?|(?<!\d)\.\d+)(?:[eE][-+]?\d{1,3}\b)?", re.ASCII
)

_ASCII_MARKS = str.maketrans(dict.fromkeys(string.punctuation, " "))

_AROUND = "\"'`“”‘’«».!?;:*_ \t\r\n"
"""Quotes, full stops and Markdown marks that models put around a short answer."""


def column_text(value: Json) -> str:
    """A column's value as text: numbers, true, false, lists and objects as JSON writes them, null as nothing."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, float) and abs(value) < _EXACT and value.is_integer():
        value = int(value)
    return orjson.dumps(value).decode()


def plain(text: str) -> str:
    """A short answer without quotes, marks and spaces around it, upper and lower case alike."""
    return " ".join(text.strip(_AROUND).casefold().split())


def last_number(text: str) -> float | None:
    """The last number that stands in a text, `1,234.5` and `−3` included; None: there is none.

    Models reason first and say the result last; the common evaluations of worded sums take the last number too
    (`flexible-extract` of EleutherAI's lm-evaluation-harness).
    """
    found = _NUMBER.findall(text)
    return float(found[-1].replace(",", "").replace("−", "-")) if found else None


def token_f1(answer: str, reference: str) -> float:
    """How many words two texts share, 0 to 1: the harmonic mean of precision and recall over their words.

    The measure of SQuAD (Rajpurkar et al. 2016): case, punctuation and English articles do not count.
    """
    given, wanted = _words(answer), _words(reference)
    if not given or not wanted:
        return float(given == wanted)
    shared = sum((Counter(given) & Counter(wanted)).values())
    return 2 * shared / (len(given) + len(wanted))


def _words(text: str) -> list[str]:
    folded = text.casefold()
    if folded.isascii():
        bare = folded.translate(_ASCII_MARKS)
    else:
        bare = "".join(" " if unicodedata.category(letter)[0] in "PS" else letter for letter in folded)
    return [word for word in bare.split() if word not in _ARTICLES]

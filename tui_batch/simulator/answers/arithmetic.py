"""A small honest solver of worded sums: it reads numbers and cue words, and is often wrong."""

from __future__ import annotations

import re
from dataclasses import dataclass

_SMALL = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
    "seventeen eighteen nineteen twenty"
)
_WORDS = {word: float(value) for value, word in enumerate(_SMALL.split())} | {
    "thirty": 30.0,
    "forty": 40.0,
    "fifty": 50.0,
    "hundred": 100.0,
    "dozen": 12.0,
    "half": 0.5,
    "third": 1 / 3,
    "quarter": 0.25,
    "twice": 2.0,
    "double": 2.0,
    "doubled": 2.0,
    "thrice": 3.0,
    "triple": 3.0,
    "tripled": 3.0,
}
_SCALES = {"half", "third", "quarter", "twice", "double", "doubled", "thrice", "triple", "tripled", "dozen"}
_TOKEN = re.compile(r"\d[\d,]*(?:\.\d+)?(?:/\d+)?%?|[a-z']+|[.?!;]", re.IGNORECASE)
_ASKED = re.compile(
    r"\b(how (?:many|much|old|long|far|tall|big)|what (?:is|was|are|will|percent)|calculate|find)\b", re.I
)

_TOO_MUCH = 1_000_000
"""Products beyond it are taken for a misreading: the problems are about everyday amounts."""

_MOST_DIGITS = 15
"""Longer numbers are names of something, not amounts."""

_PER = frozenset({"each", "every", "per", "apiece", "a", "an", "times"})
_TAKING = (
    "ate eats eat lost loses gave gives give spent spends used uses sold sells left leaves fewer less broke donated "
    "removed minus died returned discount away off cost costs"
)
_TAKE = frozenset(_TAKING.split())


@dataclass(slots=True)
class _Number:
    value: float
    scales: bool
    """It multiplies what came before: twice, half, 20 %."""
    before: tuple[str, ...]
    after: tuple[str, ...]


def is_problem(text: str) -> bool:
    """Whether a text looks like a worded sum: a question about an amount, with two numbers or more."""
    return bool(_ASKED.search(text)) and len(_numbers(text)) >= 2


def has_numbers(text: str) -> bool:
    """Whether there is anything to work with."""
    return bool(_numbers(text))


def solve(text: str) -> str:
    """The number found, without a unit: `18`, `7.5`. Never empty."""
    question = text[_question_start(text) :].lower()
    numbers = _numbers(text)
    if not numbers:
        return "0"
    value = numbers[0].value
    for number in numbers[1:]:
        value = _apply(value, number, question)
    if re.search(r"\b(left|remain|remaining)\b", question) and len(numbers) > 1:
        value = numbers[0].value - sum(number.value for number in numbers[1:])
    return _written(abs(value))


def _apply(value: float, number: _Number, question: str) -> float:
    if number.scales:
        grows = "total" in question or "together" in question
        return _times(value, number.value + 1 if grows else number.value)
    if _PER & set(number.after[:3]) or _PER & set(number.before[-2:]):
        return _times(value, number.value)
    if _TAKE & set(number.before[-4:]):
        return value - number.value
    if re.search(r"\b(total|altogether|together|in all|combined)\b", question):
        return value + number.value
    return _times(value, number.value)


def _times(value: float, factor: float) -> float:
    product = value * factor
    return product if abs(product) < _TOO_MUCH else value + factor


def _question_start(text: str) -> int:
    starts = [found.start() for found in _ASKED.finditer(text)]
    return starts[-1] if starts else 0


def _numbers(text: str) -> list[_Number]:
    tokens = [token.lower() for token in _TOKEN.findall(text[:4_000])]
    found: list[_Number] = []
    for index, token in enumerate(tokens):
        value = _value(token)
        if value is None:
            continue
        before, after = tuple(tokens[max(index - 5, 0) : index]), tuple(tokens[index + 1 : index + 6])
        found.append(_Number(value, token in _SCALES or token.endswith("%"), before, after))
    return found


def _value(token: str) -> float | None:
    if not token[0].isdigit():
        return _WORDS.get(token)
    number, _, below = token.rstrip("%").replace(",", "").partition("/")
    if len(number) > _MOST_DIGITS:
        return None
    value = float(number)
    if below:
        value = value / float(below) if float(below) else value
    return value / 100 if token.endswith("%") else value


def _written(value: float) -> str:
    return str(round(value)) if abs(value - round(value)) < 1e-9 else f"{value:.2f}".rstrip("0").rstrip(".")

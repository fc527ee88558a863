"""Short answers in plain sentences about whatever the prompt was about."""

from __future__ import annotations

import re

_WORD = re.compile(r"[A-Za-z][A-Za-z'-]{2,}")
_PLAIN_WORDS = (
    "about after also because been before being between could does doing done each even every explain from give have "
    "into just like list made make many more most much name need only other over please should some such tell than "
    "that their them then there these they this those three through using very want what when where which while will "
    "with within without word words would write your sentence sentences short describe the and for are was how why "
    "who can any you his her its not all one two has had may new out see too use way our per translate summarise "
    "summarize suggest"
)
_PLAIN = frozenset(_PLAIN_WORDS.split())

_SPARE = ("the question", "the circumstances", "what is known")
"""Topics of a text that has too few of its own."""

_OPENINGS = (
    "In short, {a} comes down to {b}.",
    "The main thing about {a} is {b}.",
    "{A} is best understood through {b}.",
    "There are two sides to {a}: {b} and everyday practice.",
)
_MIDDLES = (
    "Much depends on {c}, and on how much time there is.",
    "Start with {c}; the rest follows from it.",
    "A good example is {c}, which shows the idea at work.",
    "People often overlook {c}, although it matters most.",
    "It helps to look at {c} first and to check the details later.",
)
_CLOSINGS = (
    "When in doubt, keep it simple.",
    "That is enough for most purposes.",
    "The details vary from case to case.",
    "A small trial will show whether it holds.",
)


def write(text: str, key: int) -> str:
    """Two or three sentences. The key decides which; the words come from the text."""
    topics = _topics(text)
    first = key % len(topics)
    a, b, c = (topics[(first + step) % len(topics)] for step in range(3))
    sentences = [_pick(_OPENINGS, key >> 24)]
    sentences.append(_pick(_MIDDLES, key >> 28))
    if (key >> 36) % 2:
        sentences.append(_pick(_CLOSINGS, key >> 40))
    return " ".join(sentence.format(a=a, A=a[:1].upper() + a[1:], b=b, c=c) for sentence in sentences)


def _topics(text: str) -> list[str]:
    found = dict.fromkeys(word.lower() for word in _WORD.findall(text[:2_000]))
    topics = [word for word in found if word not in _PLAIN][:12]
    return topics + [word for word in _SPARE if word not in topics][: max(3 - len(topics), 0)]


def _pick(choices: tuple[str, ...], number: int) -> str:
    return choices[number % len(choices)]

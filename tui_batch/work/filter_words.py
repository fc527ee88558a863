"""The words a person types to say which items are meant: `state:dead model:gpt attempts>2 "free text" -word`.

Words side by side must all be met; values with commas between them are alternatives; a minus before a word means the
opposite. `text_of` writes a filter as it would be typed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from tui_batch.domain.item import ItemFlag, ItemState
from tui_batch.domain.item_filter import (
    Bound,
    Choice,
    Comparison,
    FieldBound,
    FieldIs,
    Figure,
    ItemFilter,
    OneOf,
    Term,
    Words,
)
from tui_batch.domain.job import NANO
from tui_batch.domain.outcome import OutcomeClass
from tui_batch.errors import UserError

VALUES: Mapping[Choice, tuple[str, ...]] = {
    Choice.STATE: tuple(state.value for state in ItemState),
    Choice.CLASS: tuple(cls.value for cls in OutcomeClass),
    Choice.CACHED: ("yes", "no"),
    Choice.FLAG: tuple(flag.word for flag in ItemFlag),
}
"""Choices that have a fixed list of values."""

MOST_TERMS = 100
"""Words of a filter; SQLite takes some hundreds."""
_MINUTE_S = 60.0
_UNITS: Mapping[Figure, Mapping[str, float]] = {
    Figure.COST: {"": NANO, "$": NANO},
    Figure.LATENCY: {"": 1000.0, "s": 1000.0, "ms": 1.0, "m": 1000.0 * _MINUTE_S},
}
_COUNTS: Mapping[str, float] = {"": 1.0, "k": 1e3, "m": 1e6}
_EXAMPLES = {Figure.COST: "cost>0.01", Figure.LATENCY: "latency>2s or latency<500ms", Figure.TOKENS: "tokens>1k"}

_WORD = re.compile(r'(?:"[^"]*"?|[^\s"])+')
_BOUND = re.compile(r"(?P<name>[a-z_]+)(?P<sign><=|>=|<|>|=)(?P<value>.*)", re.IGNORECASE | re.DOTALL)
_FIELD = re.compile(
    r'field\.(?P<name>"[^"]+"|[^\s":<>=]+)(?P<sign>:|<=|>=|<|>|=)(?P<value>.*)', re.IGNORECASE | re.DOTALL
)
_DECIMAL = re.compile(r"-?(?:\d+(?:\.\d+)?|\.\d+)")
_NUMBER = re.compile(r"\$?(?P<number>\d+(?:\.\d+)?|\.\d+)(?P<unit>[a-z$]*)", re.IGNORECASE)


class FilterError(UserError):
    """A word of a filter that means nothing. `position` is where it begins, in characters from 0."""

    def __init__(self, message: str, position: int, *, remedy: str = "") -> None:
        super().__init__(message, remedy=remedy)
        self.position = position


@dataclass(frozen=True, slots=True)
class Token:
    """A word as typed."""

    text: str
    start: int


def tokens(text: str) -> Iterator[Token]:
    """The words of a filter; blanks inside quotes belong to a word."""
    for found in _WORD.finditer(text):
        yield Token(found.group(), found.start())


def parse_filter(text: str) -> ItemFilter:
    """The filter that a text means; an empty text means all items. Raises FilterError."""
    terms: list[Term] = []
    for token in tokens(text):
        if len(terms) == MOST_TERMS:
            remedy = "Give values of one kind with commas between them: item:12,13"
            raise FilterError(f"a filter has at most {MOST_TERMS} words", token.start, remedy=remedy)
        if (term := _term(token)) is not None:
            terms.append(term)
    return ItemFilter(tuple(terms))


def _term(token: Token) -> Term | None:
    negated = token.text.startswith("-") and len(token.text) > 1
    text = token.text[1:] if negated else token.text
    if text.startswith('"'):
        return _words(text, negated)
    if field := _FIELD.fullmatch(text):
        return _field(field["name"].replace('"', ""), field["sign"], field["value"], negated, token)
    name, colon, value = text.partition(":")
    if colon and name.lower() in set(Choice):
        return _one_of(Choice(name.lower()), value, negated, token)
    if (bound := _BOUND.fullmatch(text)) and bound["name"].lower() in set(Figure):
        return _bound(Figure(bound["name"].lower()), bound["sign"], bound["value"], negated, token)
    if colon and name.isidentifier() and not value.startswith("//"):
        names = ", ".join(_keys())
        raise FilterError(
            f"{name}: is no key", token.start, remedy=f'The keys: {names}. To look for the text: "{text}"'
        )
    return _words(text, negated)


def _words(text: str, negated: bool) -> Words | None:
    bare = text.replace('"', "")
    return Words(bare, negated) if bare else None


def _one_of(choice: Choice, given: str, negated: bool, token: Token) -> OneOf:
    values = tuple(value for value in _split(given) if value)
    if not values:
        example = VALUES[choice][0] if choice in VALUES else "..."
        raise FilterError(f"{choice.value}: needs a value", token.start, remedy=f"Such as {choice.value}:{example}")
    if choice in VALUES:
        values = tuple(_known(choice, value, token) for value in values)
    by_id = choice in (Choice.LIKE, Choice.ITEM)
    if by_id and not all(value.isascii() and value.isdigit() and len(value) < 19 for value in values):
        raise FilterError(f"{choice.value}: takes the id of an item", token.start, remedy=f"Such as {choice.value}:12")
    return OneOf(choice, values, negated)


def _field(name: str, sign: str, given: str, negated: bool, token: Token) -> FieldIs | FieldBound:
    if sign == ":":
        values = tuple(value for value in _split(given) if value)
        if not values:
            raise FilterError(f"field.{name}: needs a value", token.start, remedy=f"Such as field.{name}:yes")
        return FieldIs(name, values, negated)
    if not _DECIMAL.fullmatch(given):
        raise FilterError(f"field.{name}{sign} needs a number", token.start, remedy=f"Such as field.{name}{sign}2")
    return FieldBound(name, Comparison(sign), float(given), negated)


def _split(given: str) -> list[str]:
    """Alternatives between commas; commas and blanks inside quotes are part of a value."""
    return [part.replace('"', "") for part in re.findall(r'(?:"[^"]*"?|[^,"])+', given)]


def _known(choice: Choice, value: str, token: Token) -> str:
    if value.lower() not in VALUES[choice]:
        raise FilterError(
            f"{choice.value}:{value} is no {choice.value}", token.start, remedy=f"One of: {', '.join(VALUES[choice])}"
        )
    return value.lower()


def _bound(figure: Figure, sign: str, given: str, negated: bool, token: Token) -> Bound:
    found = _NUMBER.fullmatch(given)
    units = _UNITS.get(figure, _COUNTS)
    if found is None or found["unit"].lower() not in units:
        example = _EXAMPLES.get(figure, f"{figure.value}>2")
        raise FilterError(
            f"{figure.value}{sign} needs a number" if found is None else f"{given}: {found['unit']} is no unit here",
            token.start,
            remedy=f"Such as {example}",
        )
    value = round(float(found["number"]) * units[found["unit"].lower()], 6)
    return Bound(figure, Comparison(sign), value, negated)


def text_of(chosen: ItemFilter) -> str:
    """The filter as it would be typed: parse_filter makes the same filter of it."""
    return " ".join(map(_typed, chosen.terms))


def _typed(term: Term) -> str:
    minus = "-" if term.negated else ""
    match term:
        case OneOf(choice, values):
            return f"{minus}{choice.value}:{','.join(map(_quoted, values))}"
        case Bound(figure, comparison, value):
            unit = _UNITS.get(figure, _COUNTS)[""]
            return f"{minus}{figure.value}{comparison.value}{_decimal(value / unit)}"
        case FieldIs(name, values):
            return f"{minus}field.{_named(name)}:{','.join(map(_quoted, values))}"
        case FieldBound(name, comparison, value):
            return f"{minus}field.{_named(name)}{comparison.value}{_decimal(value)}"
        case Words(text):
            return f'{minus}"{text}"' if minus or not _is_plain(text) else text


def _decimal(value: float) -> str:
    return f"{value:.15f}".rstrip("0").rstrip(".")


def _named(field: str) -> str:
    return field if re.fullmatch(r'[^\s":<>=]+', field) else f'"{field}"'


def _quoted(value: str) -> str:
    return value if re.fullmatch(r'[^\s",]+', value) else f'"{value}"'


def _is_plain(text: str) -> bool:
    """Whether a text is read back as itself without quotes."""
    return re.fullmatch(r"[^\W_][\w.]*", text) is not None


@dataclass(frozen=True, slots=True)
class Completion:
    """What the word under the cursor may become."""

    start: int
    """Where the part that is replaced begins; it ends at the cursor."""
    options: tuple[str, ...]


def complete(
    text: str, cursor: int, known: Mapping[Choice, Sequence[str]] | None = None, fields: Sequence[str] = ()
) -> Completion:
    """Keys and values that fit what stands before the cursor.

    `known` has the values of this job's open choices, `fields` the names of its answers' JSON fields.
    """
    before = text[:cursor]
    last = next((token for token in reversed(list(tokens(before))) if token.start + len(token.text) == cursor), None)
    if last is None:
        return Completion(cursor, _fitting(_keys(), ""))
    typed = last.text.removeprefix("-")
    start = last.start + len(last.text) - len(typed)
    name, colon, value = typed.partition(":")
    if not colon:
        named = [f"field.{_named(field)}:" for field in fields] if typed.lower().startswith("field") else []
        return Completion(start, _fitting([*_keys(), *named], typed))
    if name.lower() not in set(Choice):
        return Completion(cursor, ())
    choice = Choice(name.lower())
    part = value.rpartition(",")[2]
    values = VALUES.get(choice) or tuple((known or {}).get(choice, ()))
    return Completion(cursor - len(part), _fitting(map(_quoted, values), part))


def _keys() -> list[str]:
    return [*(f"{choice.value}:" for choice in Choice), *(f"{figure.value}>" for figure in Figure), "field."]


def _fitting(options: Iterator[str] | Sequence[str] | map[str], typed: str) -> tuple[str, ...]:
    return tuple(option for option in options if option.lower().startswith(typed.lower()) and option != typed)


def matcher(text: str) -> Callable[[str], bool]:
    """For lists of plain lines: whether a line has all the words and none of those with a minus. Quotes join words."""
    wanted = [(word.text.casefold(), word.negated) for token in tokens(text) if (word := _plain(token)) is not None]
    return lambda line: all((word in line) is not negated for word, negated in wanted) if wanted else True


def _plain(token: Token) -> Words | None:
    negated = token.text.startswith("-") and len(token.text) > 1
    return _words(token.text[1:] if negated else token.text, negated)
